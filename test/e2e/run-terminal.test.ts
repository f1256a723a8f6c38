// run -it, exec -it and attach on a real terminal: job control, window sizes, Ctrl-C, letting go.

import { deepStrictEqual, match, strictEqual } from "node:assert/strict";
import { test } from "node:test";
import { Box, cannotRun } from "./box.js";
import { missing } from "./run-program.js";
import { Terminal } from "./terminal.js";
import { strataMain } from "./workplace.js";

/** busybox may draw it twice, and ask for the cursor's place. */
const PROMPT = /\/ # /;

/** Says so when the keyboard's signals reach it. */
const SLEEPER = "sh -c 'echo st\"\"arted; exec sleep 1000'";

test("run -it: a shell on a terminal", {
  skip: cannotRun() || missing("script", "stty"),
  timeout: 240_000,
}, async () => {
  await using box = await Box.make();
  const strata = [process.execPath, strataMain, "--root", box.store];
  await using shell = new Terminal([...strata, "run", "-it", "--name", "pty", "box", "sh"]);
  await shell.expect(PROMPT);
  shell.type("stty size\r");
  await shell.expect(/\n30 100\r\n/);
  await shell.resize(41, 77);
  // The new size takes its way through three processes.
  shell.type("while [ \"$(stty size)\" != '41 77' ]; do usleep 10000; done; echo re''sized\r");
  await shell.expect(/resized\r\n/);
  await shell.expect(PROMPT);

  shell.type(`${SLEEPER}\r`);
  await shell.expect(/started\r\n/);
  shell.type("\x03");
  await shell.expect(PROMPT);
  shell.type("echo status=$?\r");
  await shell.expect(/status=130\r\n/);
  shell.type(`${SLEEPER}\r`);
  await shell.expect(/started\r\n/);
  shell.type("\x1a");
  await shell.expect(/\[1\]\+\s+Stopped\s+sh -c/);
  shell.type("bg\r");
  await shell.expect(PROMPT);
  shell.type("jobs\r");
  await shell.expect(/\[1\]\+\s+Running\s+sh -c/);

  {
    await using other = new Terminal([...strata, "exec", "-it", "pty", "sh"]);
    await other.expect(PROMPT);
    other.type("tty; stty size; ps | grep -c 'sleep 100[0]'; exit 5\r");
    await other.expect(/\/dev\/pts\/\d+\r\n30 100\r\n1\r\n/);
    strictEqual(await other.ended(), 5);
  }

  shell.type("\x10\x11");
  strictEqual(await shell.ended(), 0);
  strictEqual(await box.strata("exec", "pty", "cat", "/proc/1/comm"), "sh");
  await using back = new Terminal([...strata, "attach", "--detach-keys", "ctrl-]", "pty"]);
  back.type("kill -9 %1; wait; echo ba''ck\r");
  await back.expect(/back\r\n/);
  match(await back.settings(), / -icanon /);
  // Ctrl-P is now a key as any other.
  back.type("exit 7\r");
  strictEqual(await back.ended(), 7);
  strictEqual(await box.strata("wait", "pty"), "7");
  // The log has what the terminal showed.
  match(await box.strata("logs", "pty"), /resized\r\n[\s\S]*back\r\n/);
  const refused = await box.tryStrata(["run", "-it", "box", "sh"]);
  deepStrictEqual(
    [refused.status, refused.stderr],
    [125, "Error: the input device is not a TTY\n"],
  );
});
