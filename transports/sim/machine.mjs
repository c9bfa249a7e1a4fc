// What the `machine` module of the embedded board stands on: the state that is hardware's.

/** Levels and modes of the pins. A soft reset leaves them; a hard reset makes them all inputs. */
export class Pins {
  #pins = new Map(); // name -> [mode, pull, level]

  #pin(name) {
    if (!this.#pins.has(name)) this.#pins.set(name, [0, -1, 0]);
    return this.#pins.get(name);
  }

  clear() { this.#pins.clear(); }
  names() { return [...this.#pins.keys()].join("\n"); }
  /** A name from the listing keeps its type: `n` number, `s` string. */
  get(name, field) { return this.#pin(name)[field]; }
  set(name, field, value) { this.#pin(name)[field] = value; }
}

/** Virtual timers: due ones are fired while the board idles, and when running code reads the clock. */
export class Timers {
  #timers = new Map(); // id -> { due, period } in milliseconds; period 0: once
  #firing = false;

  constructor(port) {
    this.port = port;
    this.fire = null;
    port.onPoll = () => this.run();
  }

  clear() {
    this.#timers.clear();
    this.fire = null;
  }

  start(id, period, once) {
    this.#timers.set(id, { due: performance.now() + period, period: once ? 0 : period });
  }

  stop(id) { this.#timers.delete(id); }

  /** Idle until input is there. Without timers the next blocking read does that. */
  wait() {
    const word = new Int32Array(new SharedArrayBuffer(4));
    while (this.#timers.size > 0 && !this.port.peek()) {
      const due = Math.min(...[...this.#timers.values()].map((timer) => timer.due));
      // Input can not wake this wait, so it is short: the price is paid while a timer runs only.
      const pause = Math.min(1, due - performance.now());
      if (pause > 0) Atomics.wait(word, 0, 0, pause);
      if (this.run()) this.port.flush();
    }
  }

  /** Fire what is due; a callback never runs inside another. */
  run() {
    if (this.#firing || this.#timers.size === 0) return false;
    const now = performance.now();
    const due = [...this.#timers].filter(([, timer]) => timer.due <= now);
    this.#firing = true;
    try {
      for (const [id, timer] of due) {
        if (timer.period === 0) this.#timers.delete(id);
        else timer.due += timer.period * Math.ceil((now - timer.due + 1e-6) / timer.period);
        this.fire(id, timer.period === 0);
      }
    } finally {
      this.#firing = false;
    }
    return due.length > 0;
  }
}
