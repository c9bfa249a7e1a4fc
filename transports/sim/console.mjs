// The serial port of the embedded board: standard input and output, and Ctrl-C while code runs.
import { createRequire } from "node:module";

const require = createRequire(import.meta.url); // see host.mjs
const { constants, openSync, readSync, writeSync } = require("node:fs");

const CTRL_C = 3;
const EINTR = 27; // musl's numbers, which this interpreter has
const CAPACITY = 65536;
const MAX_PENDING = 1 << 20; // input that running code has not read; beyond it the pipe waits
const SLEEP_SLICE_MS = 2; // Ctrl-C and timers in a sleep are noticed so late at most
const AWAKE_MS = 0.2; // a program that has just answered looks so long for more before it sleeps
const MOST_REST = 32; // where that was in vain it sleeps at once, so many times at most
const wallClock = Date.now;

const SETTLED_MS = 250; // after the first prompt: whoever started the board has been served

// Words of the control block shared with watcher.mjs.
const LOCK = 0, LENGTH = 1, WATCHING = 2, FLUSHES = 3, UP = 4, WORDS = 5;

export class Console {
  #pending = new Uint8Array(CAPACITY);
  #head = 0;
  #tail = 0;
  #peekFd = -1;
  #polled = 0;
  #polling = false;
  #interrupted = false;
  #penalty = 1;
  #rest = 0;
  #wasm = null;
  #shared = new SharedArrayBuffer(4 * WORDS + CAPACITY);
  #lifeline;
  #watcher = null;
  #settled = Infinity;

  constructor(lifeline) {
    this.#lifeline = lifeline;
    this.control = new Int32Array(this.#shared, 0, WORDS);
    this.output = new Uint8Array(this.#shared, 4 * WORDS);
    this.muted = false;
    this.written = 0;
    this.codeIsNext = false; // the interpreter has the last byte of a command
    this.onPoll = () => {};
    this.onOutput = () => {};
    if (lifeline >= 0) this.#watch();
    try {
      // A second, non-blocking opening of the same pipe: what running code has not read yet. Only
      // Linux has it; elsewhere Ctrl-C is seen when code reads its input or ends.
      this.#peekFd = openSync("/proc/self/fd/0", constants.O_RDONLY | constants.O_NONBLOCK);
    } catch { /* no such thing here */ }
    // The interpreter reads the clock in sleeps, ticks and time(): the moments at which a program
    // that neither reads nor prints can be interrupted.
    Date.now = () => this.#clock();
  }

  /** Nothing is there to be done: output goes out, in one write, and the watcher is seen to. */
  rest() {
    this.flush();
    if (this.#settled === Infinity) this.#settled = performance.now() + SETTLED_MS;
    this.#watchOnceSettled();
  }

  #watchOnceSettled() {
    if (this.#watcher === null && performance.now() > this.#settled) this.#watch();
  }

  /**
   * A worker costs as much as the interpreter's own start, so it comes when that is over. Until it
   * is there, output of code goes out as it is written.
   */
  #watch() {
    const { Worker } = require("node:worker_threads");
    this.#watcher = new Worker(new URL("./watcher.mjs", import.meta.url), {
      workerData: { shared: this.#shared, lifeline: this.#lifeline },
    });
    this.#watcher.unref();
  }

  /** Take over the streams of a new interpreter, whose functions are `wasm`. */
  attach({ FS }, wasm) {
    this.#wasm = wasm;
    const write = (_stream, buffer, offset, length) => {
      this.onOutput();
      this.write(buffer.subarray(offset, offset + length));
      this.#clock();
      return length;
    };
    FS.streams[0].stream_ops = {
      ...FS.streams[0].stream_ops,
      read: (_stream, buffer, offset, length) => this.#read(FS, buffer, offset, length),
    };
    FS.streams[1].stream_ops = { ...FS.streams[1].stream_ops, write };
    FS.streams[2].stream_ops = { ...FS.streams[2].stream_ops, write };
  }

  /** `time.sleep` without spinning; true when Ctrl-C ended it. */
  sleep(ms) {
    const word = new Int32Array(new SharedArrayBuffer(4));
    const end = performance.now() + ms;
    this.flush();
    for (let left = ms; left > 0; left = end - performance.now()) {
      this.peek();
      if (this.#takeInterrupt()) return true;
      this.onPoll();
      if (left > 1) Atomics.wait(word, 0, 0, Math.min(left - 1, SLEEP_SLICE_MS));
    }
    return false;
  }

  get empty() { return this.#head === this.#tail; }

  /** The next byte of input, blocking. */
  next() {
    if (this.#head === this.#tail) this.fill(0);
    return this.#pending[this.#head++];
  }

  /** Read what is there, blocking for the first byte; ends the process at end of input. */
  fill(fd) {
    if (this.#head === this.#tail) this.#head = this.#tail = 0;
    else if (this.#tail === this.#pending.length) this.#makeRoom();
    let count;
    try {
      count = readSync(fd, this.#pending, this.#tail, this.#pending.length - this.#tail, null);
    } catch (error) {
      if (error.code === "EAGAIN") return false;
      throw error;
    }
    if (count === 0) this.end();
    this.#tail += count;
    return true;
  }

  /** Read without blocking; true when something came. */
  peek() { return this.#peekFd >= 0 && this.fill(this.#peekFd); }

  /**
   * Block until code has something to read. What it answers is followed by the next line at once,
   * as a rule, and to be woken takes longer than to answer: so look for a moment without sleeping.
   */
  #await() {
    if (this.#rest > 0) this.#rest--;
    else if (this.#peekFd >= 0 && this.#lookForInput()) {
      this.#penalty = Math.max(this.#penalty >> 1, 1);
      return;
    } else {
      this.#penalty = Math.min(this.#penalty * 2, MOST_REST);
      this.#rest = this.#penalty;
    }
    this.fill(0);
  }

  #lookForInput() {
    const traced = Error.stackTraceLimit;
    Error.stackTraceLimit = 0; // that nothing is there is an exception each time
    try {
      const until = performance.now() + AWAKE_MS;
      while (performance.now() < until) if (this.peek()) return true;
      return false;
    } finally {
      Error.stackTraceLimit = traced;
    }
  }

  /** The process has no way back from a lost port, whatever its threads are doing. */
  end() {
    this.flush();
    process.kill(process.pid, "SIGKILL");
  }

  write(bytes) {
    if (this.muted) return;
    this.written += bytes.length;
    this.#lock();
    let length = this.control[LENGTH];
    for (let from = 0; from < bytes.length;) {
      if (length === CAPACITY) {
        this.#send(length);
        length = 0;
      }
      const part = bytes.subarray(from, from + CAPACITY - length);
      this.output.set(part, length);
      length += part.length;
      from += part.length;
    }
    this.control[LENGTH] = length;
    this.#unlock();
    if (this.control[UP] === 0) {
      // `OK`, or the end of an echoed line, comes just before the code. What the interpreter says
      // by itself afterwards, byte by byte, can wait until all of it is there.
      if (this.codeIsNext || this.#codeRuns()) this.flush();
      this.codeIsNext = false;
      this.#watchOnceSettled();
    } else if (this.control[WATCHING] === 0) {
      Atomics.store(this.control, WATCHING, 1);
      this.#watcher.postMessage(0);
    }
  }

  flush() {
    this.#lock();
    const length = this.control[LENGTH];
    if (length) this.#send(length);
    this.#unlock();
  }

  /** Whether `tail` ends the output and came after the mark `before`. */
  wroteSince(before, tail) {
    const length = this.control[LENGTH];
    if (this.written - before < tail.length || length < tail.length) return false;
    return tail.equals(this.output.slice(length - tail.length, length));
  }

  #send(length) {
    this.control[LENGTH] = 0;
    this.control[FLUSHES]++;
    writeAll(this.output, length);
  }

  #lock() {
    while (Atomics.compareExchange(this.control, LOCK, 0, 1) !== 0) {
      Atomics.wait(this.control, LOCK, 1, 1);
    }
  }

  #unlock() { Atomics.store(this.control, LOCK, 0); }

  #makeRoom() {
    const rest = this.#pending.subarray(this.#head, this.#tail);
    const roomy = this.#head > this.#pending.length / 2;
    const target = roomy ? this.#pending : new Uint8Array(this.#pending.length * 2);
    if (roomy) target.copyWithin(0, this.#head, this.#tail);
    else target.set(rest, 0);
    this.#pending = target;
    this.#head = 0;
    this.#tail = rest.length;
  }

  /** What the interpreter sees as the time, looking for Ctrl-C and due timers once a millisecond. */
  #clock() {
    const now = wallClock();
    if (now !== this.#polled && !this.#polling && this.#codeRuns()) {
      this.#polled = now;
      this.#polling = true;
      try {
        this.flush();
        if (this.#tail - this.#head < MAX_PENDING) this.peek();
        this.#takeInterrupt();
        this.onPoll();
      } finally {
        this.#polling = false;
      }
    }
    return now;
  }

  /** The interrupt character is armed exactly while code runs; that of a boot is not the user's. */
  #codeRuns() { return !this.muted && this.#wasm?.mp_hal_get_interrupt_char() === CTRL_C; }

  /** As the interrupt handler of a UART does: Ctrl-C leaves the input and interrupts the code. */
  #takeInterrupt() {
    const at = this.#pending.subarray(this.#head, this.#tail).indexOf(CTRL_C);
    if (at < 0) return false;
    this.#pending.copyWithin(this.#head + at, this.#head + at + 1, this.#tail--);
    this.#wasm.mp_sched_keyboard_interrupt();
    this.#interrupted = true;
    return true;
  }

  #read(FS, buffer, offset, length) {
    this.flush();
    for (;;) {
      if (this.#interrupted) {
        // The interpreter then raises what is pending, or, where it has done so, just reads again.
        this.#interrupted = false;
        throw new FS.ErrnoError(EINTR);
      }
      if (!this.empty) break;
      this.#await();
      if (this.#codeRuns()) this.#takeInterrupt();
    }
    const count = Math.min(length, this.#tail - this.#head);
    buffer.set(this.#pending.subarray(this.#head, this.#head + count), offset);
    this.#head += count;
    return count;
  }
}

/** Write all of it, whether or not the port was made non-blocking. */
export function writeAll(bytes, length) {
  for (let from = 0; from < length;) {
    try {
      from += writeSync(1, bytes, from, length - from);
    } catch (error) {
      if (error.code !== "EAGAIN") process.kill(process.pid, "SIGKILL");
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}
