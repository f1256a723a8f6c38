// The scripts that shells load. Each asks the hidden command "complete-words" and shows its answer:
// lines of VALUE TAB DESCRIPTION, then one line ":FLAGS" (1: also files, 2: no blank behind the word).

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/** Bash takes ":" and "=" for the end of a word, so the line is split here and the front cut off again. */
const BASH = String.raw`# bash completion for strata: source <(strata completion bash)
_strata_complete() {
  local line=${"$"}{COMP_LINE:0:COMP_POINT} words=() current answer flags value
  read -ra words <<<"$line"
  case $line in *[[:space:]]) words+=("") ;; esac
  current=${"$"}{words[${"$"}{#words[@]}-1]}
  COMPREPLY=()
  answer=$("${"$"}{words[0]}" complete-words -- "${"$"}{words[@]:1}" 2>/dev/null) || return 0
  flags=${"$"}{answer##*:}
  while IFS=$'\t' read -r value _; do
    case $value in :[0-9]*) continue ;; "$current"*) COMPREPLY+=("$value") ;; esac
  done <<<"$answer"
  if ((flags & 1)); then
    while IFS= read -r value; do COMPREPLY+=("$value"); done < <(compgen -f -- "$current")
    compopt -o filenames 2>/dev/null
  fi
  ((flags & 2)) && compopt -o nospace 2>/dev/null
  local front=${"$"}{current%"${"$"}{current##*[:=]}"}
  [[ $COMP_WORDBREAKS == *:* ]] && COMPREPLY=("${"$"}{COMPREPLY[@]#"$front"}")
  return 0
}
complete -F _strata_complete strata
`;

const ZSH = String.raw`#compdef strata
# zsh completion for strata: strata completion zsh >DIR_OF_FPATH/_strata
_strata() {
  local -a answer values
  local line value description flags=0
  answer=("${"$"}{(@f)$(_call_program words "${"$"}{(q)words[1]}" complete-words -- "${"$"}{(@q)words[2,CURRENT]}" 2>/dev/null)}")
  for line in "${"$"}{answer[@]}"; do
    value=${"$"}{line%%$'\t'*}
    description=${"$"}{line#*$'\t'}
    if [[ $line == :<-> ]]; then
      flags=${"$"}{line#:}
    elif [[ -n $value ]]; then
      values+=("${"$"}{value//:/\\:}:$description")
    fi
  done
  local -a blank
  (( flags & 2 )) && blank=(-S '')
  (( ${"$"}{#values} )) && _describe strata values "${"$"}{blank[@]}"
  (( flags & 1 )) && _files
  return 0
}
compdef _strata strata
`;

const FISH = `# fish completion for strata: strata completion fish | source
function __strata_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  set -l program $words[1]
  set -e words[1]
  for line in (command $program complete-words -- $words "$current" 2>/dev/null)
    switch $line
      case ':1' ':3'
        __fish_complete_path "$current"
      case ':*'
      case '*'
        echo $line
    end
  end
end
complete -c strata -f -a '(__strata_complete)'
`;

export const SCRIPTS: Readonly<Record<Shell, string>> = { bash: BASH, zsh: ZSH, fish: FISH };
