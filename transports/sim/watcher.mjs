// What must go on while the interpreter is busy: the lifeline, and output that was left lying.
import { parentPort, workerData } from "node:worker_threads";
import { writeSync } from "node:fs";

const LOCK = 0, LENGTH = 1, WATCHING = 2, FLUSHES = 3, UP = 4, WORDS = 5;
const TICK_MS = 5; // output of running code waits at most two ticks
const QUIET_TICKS = 200; // then the watcher sleeps until there is output again
const { shared, lifeline } = workerData;
const control = new Int32Array(shared, 0, WORDS);
const output = new Uint8Array(shared, 4 * WORDS);

if (lifeline >= 0) {
  const { Socket } = await import("node:net");
  const end = () => process.kill(process.pid, "SIGKILL");
  new Socket({ fd: lifeline, readable: true, writable: false })
    .on("error", end).on("close", end).resume();
}

let seen = 0, quiet = 0, timer = null;

parentPort.on("message", () => {
  quiet = 0;
  timer ??= setInterval(tick, TICK_MS);
});

function tick() {
  const flushes = Atomics.load(control, FLUSHES);
  const busy = flushes !== seen;
  seen = flushes;
  if (!busy && Atomics.load(control, LENGTH) > 0) send();
  else if (busy) quiet = 0;
  else if (++quiet > QUIET_TICKS) rest();
}

function send() {
  if (Atomics.compareExchange(control, LOCK, 0, 1) !== 0) return; // it is being written to
  const length = control[LENGTH];
  control[LENGTH] = 0;
  try {
    for (let from = 0; from < length;) from += writeSync(1, output, from, length - from);
  } catch {
    process.kill(process.pid, "SIGKILL");
  }
  Atomics.store(control, LOCK, 0);
  Atomics.notify(control, LOCK);
  quiet = 0;
}

function rest() {
  clearInterval(timer);
  timer = null;
  Atomics.store(control, WATCHING, 0);
  if (Atomics.load(control, LENGTH) > 0) send(); // written just before the store
}

Atomics.store(control, UP, 1);
