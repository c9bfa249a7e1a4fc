// The embedded board: MicroPython (WebAssembly) made to behave as firmware on a serial port does.
//
//   node host.mjs INTERPRETER.mjs HEAP_BYTES LIFELINE_FD|-1 [FOLDER]
//
// Standard input and output are the port, byte for byte. The interpreter runs on this, the main
// thread, which reads standard input with blocking reads: no hand-over stands in a call's way. A
// worker (watcher.mjs) sends output that running code leaves lying and, where the system does not
// do it for us, ends the process when the lifeline ends, however busy this thread is. One file a concern: console.mjs (bytes), files.mjs
// (the visible file system), machine.upy (Pin, Timer, reset), and here the life of the board.
import { createRequire } from "node:module";
import { Console } from "./console.mjs";
import { Disk, hideSystemFolders, limitNames } from "./files.mjs";
import { Pins, Timers } from "./machine.mjs";

// Required and not imported: who imports `node:fs` waits until its streams are loaded as well.
const require = createRequire(import.meta.url);
const { readFileSync } = require("node:fs");
const { pathToFileURL } = require("node:url");

// Taken out: the interpreter's module looks there whether it is the program itself.
const [, interpreterPath, heapBytes, lifeline, folder] = process.argv.splice(1);
const { loadMicroPython } = await import(pathToFileURL(interpreterPath).href);
const machineSource = readFileSync(new URL("./machine.upy", import.meta.url), "utf8");
const warmSource = readFileSync(new URL("./warm.upy", import.meta.url));

const CTRL_A = 1, CTRL_B = 2, CTRL_C = 3, CTRL_D = 4, CTRL_E = 5, CR = 13;
const RAW_BANNER = Buffer.from("raw REPL; CTRL-B to exit\r\n>");
const NO_RAW_PASTE = Buffer.from("R\x00>");
const SOFT_REBOOT = Buffer.from("MPY: soft reboot\r\n");
const HELPERS = "/dev/klemheist"; // under /dev, which listings of the root leave out

const port = new Console(Number(lifeline));
const pins = new Pins();
const timers = new Timers(port);
const disk = folder ? new Disk(folder) : null;
if (disk) port.onOutput = () => { if (disk.dirty) disk.saveClosed(board.ram.FS); };
const board = { raw: false, hardReset: false, ram: null };

// The compiled module outlives a soft reset: only the first boot pays for compiling it.
const instantiate = WebAssembly.instantiate;
let compiled = null;
let wasm = null; // the present interpreter's own functions: its JavaScript takes longer than they do
WebAssembly.instantiate = async (bytes, imports) => {
  if (bytes instanceof WebAssembly.Module) return instantiate(bytes, imports);
  compiled ??= await WebAssembly.compile(bytes);
  const instance = await instantiate(compiled, imports);
  wasm = instance.exports;
  return { module: compiled, instance };
};

/** Load the interpreter, which only looks whether there is a `crypto`: Node takes long to make it. */
async function load(options) {
  const crypto = Object.getOwnPropertyDescriptor(globalThis, "crypto");
  if (crypto === undefined) return loadMicroPython(options);
  Object.defineProperty(globalThis, "crypto", { value: null, configurable: true });
  try {
    return await loadMicroPython(options);
  } finally {
    Object.defineProperty(globalThis, "crypto", crypto);
  }
}

/** What `machine.upy` sees as `js.klemheist`. */
globalThis.klemheist = {
  pins,
  timers,
  sleep: (ms) => port.sleep(ms),
  boardName: folder ?? "sim",
  hardReset() { board.hardReset = true; },
};

/** Start a fresh interpreter: RAM is empty, files and pins are as the last one left them. */
async function boot() {
  timers.clear();
  const memory = board.ram?.FS ?? null;
  const mp = await load({
    heapsize: Number(heapBytes), linebuffer: false,
    stdin: () => null, stdout: () => {}, stderr: () => {},
  });
  hideSystemFolders(mp.FS);
  limitNames(mp.FS);
  if (disk) disk.mount(mp.FS);
  else if (memory) Disk.copy(memory, mp.FS);
  mp.FS.mkdir(HELPERS);
  mp.FS.writeFile(`${HELPERS}/machine.py`, machineSource);
  // Imported now and found in sys.modules later, so that sys.path stays as the firmware has it.
  mp.runPython(
    `import sys\nsys.path.append("${HELPERS}")\nimport machine\nsys.path.pop()\ndel sys, machine`);
  timers.fire = mp.pyimport("machine")._fire;
  port.attach(mp, wasm);
  board.ram = mp;
  mp.replInit();
}

/**
 * Firmware is compiled ahead; here the engine compiles each function when it is first called, and
 * some again after a thousand calls. So what every session needs runs twice, unheard, before the
 * first prompt.
 */
async function powerOn() {
  port.muted = true;
  await boot();
  wasm.mp_js_repl_process_char(CTRL_A);
  board.raw = true;
  for (const byte of [...warmSource, CTRL_D, ...warmSource, CTRL_D]) process1(byte);
  port.muted = false;
  process1(CTRL_B); // as a boot, it says what board this is
}

/** A soft reset comes back in the mode it was asked in, as firmware does. */
async function reset() {
  const raw = board.raw && !board.hardReset;
  if (board.hardReset) pins.clear();
  else port.write(SOFT_REBOOT);
  board.hardReset = false;
  board.raw = false;
  port.muted = raw;
  await boot();
  if (!raw) return;
  wasm.mp_js_repl_process_char(CTRL_A);
  port.muted = false;
  board.raw = true;
  port.write(RAW_BANNER);
}

/** The first bytes of the command under way: enough to know a request for raw paste. */
let lineLength = 0, lineStart = 0;

/** Feed one byte; true when the interpreter asked for a reset. */
function process1(byte) {
  if (board.raw) {
    if (byte === CTRL_A && lineLength === 2 && lineStart === ((CTRL_E << 8) | 0x41)) {
      // This port would answer "supported" and then spin for ever: say what is true.
      wasm.mp_js_repl_process_char(CTRL_C);
      port.write(NO_RAW_PASTE);
      lineLength = 0;
      return false;
    }
    if (byte < CTRL_E && byte > 0) lineLength = 0;
    else {
      if (lineLength < 2) lineStart = lineLength ? (lineStart << 8) | byte : byte;
      lineLength++;
    }
  }
  const before = port.written;
  port.codeIsNext = byte === CTRL_D || byte === CR;
  const result = wasm.mp_js_repl_process_char(byte);
  if (board.raw) {
    if (byte === CTRL_B) board.raw = false;
  } else if (byte === CTRL_A) {
    board.raw = port.wroteSince(before, RAW_BANNER);
    lineLength = 0;
  }
  if (disk?.dirty) disk.save(board.ram.FS);
  return result !== 0 || board.hardReset;
}

await powerOn();
for (;;) {
  // Output goes out when nothing more is there to be done: one write, one wake-up of the reader.
  if (port.empty) {
    port.rest();
    timers.wait();
  }
  if (process1(port.next())) {
    lineLength = 0;
    await reset();
  }
}
