// Whole Dockerfiles: lines, here-documents, every instruction's result, and faults with their place.

import { deepStrictEqual, strictEqual, throws } from "node:assert/strict";
import { test } from "node:test";
import {
  type Heredoc,
  heredocText,
  parseDockerfile,
  parseHeredocWord,
  parseTriggerText,
  type StageInstruction,
} from "../../src/dockerfile/index.js";

/** The instructions of the only stage. */
function instructions(text: string, head = "FROM scratch\n"): readonly StageInstruction[] {
  return parseDockerfile(`${head}${text}`, "Dockerfile").stages[0]?.instructions ?? [];
}

/** The one instruction, without place and source. */
function only(text: string): object {
  const [first, ...more] = instructions(text);
  strictEqual(more.length, 0, text);
  const { place: _, source: __, ...rest } = first ?? { place: 0, source: 0 };
  return rest;
}

function fault(text: string, head = "FROM scratch\n"): string {
  try {
    parseDockerfile(`${head}${text}`, "Dockerfile");
  } catch (error) {
    return error instanceof Error ? error.message : "";
  }
  return "no fault";
}

const noHealth = {
  intervalNs: undefined,
  timeoutNs: undefined,
  startPeriodNs: undefined,
  startIntervalNs: undefined,
  retries: undefined,
};

const results: readonly (readonly [string, object])[] = [
  [
    'CMD ["a", "b\\"c", "\\u00e9"]',
    { name: "CMD", command: { form: "exec", words: ["a", 'b"c', "é"] } },
  ],
  ["CMD [ 'a' ]", { name: "CMD", command: { form: "shell", text: "[ 'a' ]", heredocs: [] } }],
  [
    "entrypoint exec top -b",
    { name: "ENTRYPOINT", command: { form: "shell", text: "exec top -b", heredocs: [] } },
  ],
  ["ENTRYPOINT []", { name: "ENTRYPOINT", command: { form: "exec", words: [] } }],
  [
    "ENV A=\"b c\" D=e\\ f G='h i' J=",
    {
      name: "ENV",
      pairs: [
        ["A", '"b c"'],
        ["D", "e\\ f"],
        ["G", "'h i'"],
        ["J", ""],
      ],
    },
  ],
  ["ENV name the  rest of = it", { name: "ENV", pairs: [["name", "the  rest of = it"]] }],
  [
    'LABEL "com.example/x y"="z" b=c',
    {
      name: "LABEL",
      pairs: [
        ['"com.example/x y"', '"z"'],
        ["b", "c"],
      ],
    },
  ],
  [
    'ARG A B=c D="e f"',
    {
      name: "ARG",
      args: [
        { name: "A", value: undefined },
        { name: "B", value: "c" },
        { name: "D", value: '"e f"' },
      ],
    },
  ],
  ["EXPOSE 80/tcp  443 $X", { name: "EXPOSE", words: ["80/tcp", "443", "$X"] }],
  ['VOLUME ["/a b", "/c"]', { name: "VOLUME", words: ["/a b", "/c"] }],
  ["VOLUME /a /c", { name: "VOLUME", words: ["/a", "/c"] }],
  ['SHELL ["/bin/bash", "-c"]', { name: "SHELL", words: ["/bin/bash", "-c"] }],
  ["USER  me:staff ", { name: "USER", text: "me:staff" }],
  ["WORKDIR /a b/$c", { name: "WORKDIR", text: "/a b/$c" }],
  ["STOPSIGNAL SIGQUIT", { name: "STOPSIGNAL", text: "SIGQUIT" }],
  ["MAINTAINER A <a@b>", { name: "MAINTAINER", text: "A <a@b>" }],
  ["HEALTHCHECK none", { name: "HEALTHCHECK", healthcheck: { ...noHealth, test: ["NONE"] } }],
  [
    'HEALTHCHECK --interval=1m30s --timeout=500ms --start-period=0s --start-interval=1.5s --retries=3 CMD ["a","b"]',
    {
      name: "HEALTHCHECK",
      healthcheck: {
        test: ["CMD", "a", "b"],
        intervalNs: 90e9,
        timeoutNs: 5e8,
        startPeriodNs: undefined,
        startIntervalNs: 1.5e9,
        retries: 3,
      },
    },
  ],
  [
    "HEALTHCHECK CMD a || exit 1",
    { name: "HEALTHCHECK", healthcheck: { ...noHealth, test: ["CMD-SHELL", "a || exit 1"] } },
  ],
  ["ONBUILD  COPY . /src", { name: "ONBUILD", trigger: "COPY . /src" }],
];

test("parseDockerfile: each instruction gives its typed result", () => {
  for (const [text, wanted] of results) deepStrictEqual(only(text), wanted, text);
});

const copy = {
  heredocs: [],
  from: undefined,
  chown: undefined,
  chmod: undefined,
  link: false,
  parents: false,
  exclude: [],
  checksum: undefined,
  keepGit: false,
  unpack: undefined,
};

test("parseDockerfile: flags of RUN, COPY and ADD", () => {
  deepStrictEqual(
    only("RUN --mount=type=cache,target=/x --network=none  --mount='a=b c' apk add"),
    {
      name: "RUN",
      command: { form: "shell", text: "apk add", heredocs: [] },
      mounts: ["type=cache,target=/x", "a=b c"],
      network: "none",
    },
  );
  deepStrictEqual(only("RUN --network=host -- --x"), {
    name: "RUN",
    command: { form: "shell", text: "--x", heredocs: [] },
    mounts: [],
    network: "host",
  });
  deepStrictEqual(
    only(
      "COPY --from=base --chown=1:2 --chmod=0644 --link --parents=false --exclude=*.o --exclude=a ./x y /z/",
    ),
    {
      ...copy,
      name: "COPY",
      sources: ["./x", "y"],
      destination: "/z/",
      from: "base",
      chown: "1:2",
      chmod: "0644",
      link: true,
      exclude: ["*.o", "a"],
    },
  );
  deepStrictEqual(only('ADD --checksum=sha256:00 --unpack=false --keep-git-dir ["a b", "c"]'), {
    ...copy,
    name: "ADD",
    sources: ["a b"],
    destination: "c",
    checksum: "sha256:00",
    keepGit: true,
    unpack: false,
  });
});

test("parseDockerfile: continued lines are joined, comments among them left out", () => {
  const text = "RUN a \\\n  # note\n\n b \\  \n\tc\\\\\nENV x=1\n   # c\n  RUN d \\\n";
  const [run, env, last] = instructions(text);
  strictEqual(run?.source, "RUN a b c\\\\");
  deepStrictEqual([run?.place.line, run?.place.endLine, run?.place.text], [2, 6, "RUN a \\"]);
  strictEqual(env?.place.line, 7);
  strictEqual(last?.source, "RUN d ".trim());
  deepStrictEqual(parseDockerfile(`FROM scratch\n${text}`, "D").warnings, [
    "D:4: empty continuation line, in the instruction of line 2",
  ]);
});

test("parseDockerfile: directives count before everything else only", () => {
  const quoted = parseDockerfile(
    "\ufeff# Escape = `\r\n# syntax=docker/dockerfile:1\r\nFROM a\r\nRUN a `\r\n b\\\r\nCOPY x c:\\y\\\r\n",
    "D",
  );
  strictEqual(quoted.directives.escape, "`");
  strictEqual(quoted.directives.syntax, "docker/dockerfile:1");
  const [run, added] = quoted.stages[0]?.instructions ?? [];
  strictEqual(run?.source, "RUN a b\\");
  strictEqual(added?.name === "COPY" && added.destination, "c:\\y\\");
  strictEqual(parseDockerfile("# note\n# escape=`\nFROM a", "D").directives.escape, "\\");
  strictEqual(parseDockerfile("\n# escape=`\nFROM a", "D").directives.escape, "\\");
  strictEqual(
    fault("FROM a", "# escape=x\n"),
    "Dockerfile:1: invalid escape token 'x' does not match ` or \\ in \"# escape=x\"",
  );
  strictEqual(
    fault("FROM a", "# check=a\n# check=b\n"),
    'Dockerfile:2: only one check parser directive can be used in "# check=b"',
  );
});

/** Name, content, expand, chomp. */
type Expected = readonly [string, string, boolean, boolean];

const heredocs: readonly (readonly [string, readonly Expected[]])[] = [
  ["RUN <<EMPTY\nEMPTY", [["EMPTY", "", true, false]]],
  ["RUN 3<<EMPTY2\nEMPTY2", [["EMPTY2", "", true, false]]],
  ['RUN "<<NOHEREDOC"', []],
  ["RUN <<INDENT\n\tfoo\n\tbar\nINDENT", [["INDENT", "\tfoo\n\tbar\n", true, false]]],
  ["RUN <<-UNINDENT2\n\tbaz\n\tquux\n\tUNINDENT2", [["UNINDENT2", "\tbaz\n\tquux\n", true, true]]],
  [
    "RUN <<-'NOEXPAND'\n\tdon't expand $NAME\nNOEXPAND",
    [["NOEXPAND", "\tdon't expand $NAME\n", false, true]],
  ],
  [
    "RUN <<COMMENT\n# internal\necho # trailing\nCOMMENT",
    [["COMMENT", "# internal\necho # trailing\n", true, false]],
  ],
  [
    "RUN --mount=type=cache,target=/foo <<MOUNT\necho hello \\\nMOUNT",
    [["MOUNT", "echo hello \\\n", true, false]],
  ],
  [
    "COPY <<FILE1 <<FILE2 /dest\ncontent 1\nFILE1\ncontent 2\nFILE2",
    [
      ["FILE1", "content 1\n", true, false],
      ["FILE2", "content 2\n", true, false],
    ],
  ],
  [
    "COPY <<X <<Y /dest\nY\nX\nX\nY",
    [
      ["X", "Y\n", true, false],
      ["Y", "X\n", true, false],
    ],
  ],
  ["ADD <<file.txt /dest\nhello world\r\nfile.txt", [["file.txt", "hello world\r\n", true, false]]],
  ["RUN <<eo'f'\necho foo\neof", [["eof", "echo foo\n", false, false]]],
  ["RUN <<eo\\'f\necho foo\neo'f", [["eo'f", "echo foo\n", true, false]]],
  ["RUN <<'e'o\\'f\necho foo\neo'f", [["eo'f", "echo foo\n", false, false]]],
  ["RUN <<'one two'\necho bar\none two", [["one two", "echo bar\n", false, false]]],
  ["RUN <<$EOF\n$EOF", [["$EOF", "", true, false]]],
  ["RUN <<  EOF  > foo\nEOF", [["EOF", "", true, false]]],
  ["RUN <<- EOF\nEOF", [["EOF", "", true, true]]],
  ["RUN << -EOF\n-EOF", [["-EOF", "", true, false]]],
  ["RUN echo $((1<<3)) $((1 << 3)) <<< x", []],
  ['RUN ["<<EOF"]', []],
];

test("parseDockerfile: here-documents as BuildKit's tests have them", () => {
  for (const [text, wanted] of heredocs) {
    const [first, ...more] = instructions(text);
    strictEqual(more.length, 0, text);
    let found: readonly Heredoc[] = [];
    if (first?.name === "RUN" && first.command.form === "shell") found = first.command.heredocs;
    else if (first?.name === "COPY" || first?.name === "ADD") found = first.heredocs;
    deepStrictEqual(
      found.map(({ name, content, expand, chomp }) => [name, content, expand, chomp]),
      wanted,
      text,
    );
  }
  const [copied] = instructions("COPY a <<X b <<Y /dest/\n1\nX\n2\nY\nENV a=b");
  deepStrictEqual(copied?.name === "COPY" && [copied.sources, copied.destination], [
    ["a", "b"],
    "/dest/",
  ]);
  strictEqual(
    heredocText({ name: "E", expand: true, chomp: true, content: "\t\ta\n\tb\n" }),
    "a\nb\n",
  );
  for (const no of ["", "EOF", "<<", "<<-", "<EOF", "<<<EOF", "<<EOF sh"]) {
    strictEqual(parseHeredocWord(no), undefined, no);
  }
  for (const bad of ["<<'EOF", '<<"EOF', "<<EOF'"])
    throws(() => parseHeredocWord(bad), /matching/, bad);
});

test("parseDockerfile: ONBUILD keeps the text of a here-document, and reads it back", () => {
  const [onBuild] = instructions("ONBUILD RUN <<-A cat <<B\n\techo\n\tA\nx\nB");
  const trigger = onBuild?.name === "ONBUILD" ? onBuild.trigger : "";
  strictEqual(trigger, "RUN <<-A cat <<B\n\techo\nA\nx\nB");
  const place = { file: "D", line: 1, endLine: 1, text: "FROM x" };
  const run = parseTriggerText(trigger, place, "\\");
  deepStrictEqual(
    run.name === "RUN" &&
      run.command.form === "shell" &&
      run.command.heredocs.map(({ content }) => content),
    ["\techo\n", "x\n"],
  );
});

test("parseDockerfile: stages, their names and platforms, global arguments", () => {
  const { globalArgs, stages } = parseDockerfile(
    "ARG V=1\nFROM --platform=$BUILDPLATFORM debian:$V AS Build\nRUN a\nFROM build\nFROM scratch as x-1.y_z\n",
    "D",
  );
  strictEqual(globalArgs.length, 1);
  deepStrictEqual(
    stages.map(({ from }) => [from.image, from.as, from.platform]),
    [
      ["debian:$V", "build", "$BUILDPLATFORM"],
      ["build", undefined, undefined],
      ["scratch", "x-1.y_z", undefined],
    ],
  );
});

const faults: readonly (readonly [string, string])[] = [
  ["FOO bar", "unknown instruction: FOO"],
  ["foo bar", "unknown instruction: foo"],
  ["USER", "USER requires exactly one argument"],
  ["WORKDIR", "WORKDIR requires exactly one argument"],
  ["STOPSIGNAL", "STOPSIGNAL requires exactly one argument"],
  ["MAINTAINER", "MAINTAINER requires exactly one argument"],
  ["ENV", "ENV requires at least one argument"],
  ["LABEL", "LABEL requires at least one argument"],
  ["ARG", "ARG requires at least one argument"],
  ["ONBUILD", "ONBUILD requires at least one argument"],
  ["HEALTHCHECK", "HEALTHCHECK requires at least one argument"],
  ["EXPOSE", "EXPOSE requires at least one argument"],
  ["VOLUME", "VOLUME requires at least one argument"],
  ["ENV a", "ENV must have two arguments"],
  ["ENV a=b c", `Syntax error - can't find = in "c". Must be of the form: name=value`],
  ["ENV =b", "ENV names can not be blank"],
  ["ARG =b", "ARG names can not be blank"],
  [
    "COPY a",
    "COPY requires at least two arguments, but only 1 provided. Destination could not be determined",
  ],
  [
    "ADD",
    "ADD requires at least two arguments, but only 0 provided. Destination could not be determined",
  ],
  ["COPY a <<EOF\nEOF", "COPY cannot accept a heredoc as a destination"],
  ["COPY <<EOF /x\nnever", "unterminated heredoc"],
  [
    "COPY --from=$x a b",
    "variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround",
  ],
  ["COPY --boo a b", "unknown flag: --boo"],
  ["MAINTAINER --boo joe@example.com", "unknown flag: --boo"],
  ["COPY --link=maybe a b", "expecting boolean value for flag --link, not: maybe"],
  ["COPY --chown a b", "missing a value on flag: --chown"],
  ["COPY --chown=a --chown=b a b", "duplicate flag specified: --chown"],
  ["COPY [1]", "when using JSON array syntax, arrays must be comprised of strings only"],
  ["SHELL bash -c", "SHELL requires the arguments to be in JSON form"],
  ["SHELL []", "SHELL requires at least one argument"],
  ['VOLUME [""]', "VOLUME specified can not be an empty string"],
  ["RUN", "RUN requires at least one argument"],
  ["RUN --network=any x", 'invalid network mode: "any"'],
  ["RUN --security=insecure x", "security.insecure is not allowed"],
  ["HEALTHCHECK NONE x", "HEALTHCHECK NONE takes no arguments"],
  ["HEALTHCHECK CMD", "Missing command after HEALTHCHECK CMD"],
  ["HEALTHCHECK TRY x", 'Unknown type "TRY" in HEALTHCHECK (try CMD)'],
  ["HEALTHCHECK --interval=1x CMD x", 'time: invalid duration "1x"'],
  ["HEALTHCHECK --interval=50ns CMD x", 'Interval "interval" cannot be less than 1ms'],
  ["HEALTHCHECK --retries=-1 CMD x", "--retries cannot be negative (-1)"],
  ["ONBUILD ONBUILD RUN x", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"],
  ["ONBUILD FROM x", "FROM isn't allowed as an ONBUILD trigger"],
  ["ONBUILD FOO x", "unknown instruction: FOO"],
  ["FROM", "FROM requires either one or three arguments"],
  ["FROM a b", "FROM requires either one or three arguments"],
  [
    "FROM a AS 1x",
    `invalid name for build stage: "1x", name can't start with a number or contain symbols`,
  ],
];

test("parseDockerfile: faults in docker's words, with file, line and the line's text", () => {
  for (const [text, state] of faults) {
    const shown = JSON.stringify(text.split("\n")[0]);
    strictEqual(fault(`# one\n${text}`), `Dockerfile:3: ${state} in ${shown}`);
  }
  strictEqual(fault("", ""), "Dockerfile: file with no instructions");
  strictEqual(fault("ARG a", ""), "Dockerfile: dockerfile contains no stages to build");
  strictEqual(fault("RUN a", ""), 'Dockerfile:1: no build stage in current context in "RUN a"');
});
