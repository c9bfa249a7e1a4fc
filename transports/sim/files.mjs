// The visible file system of the embedded board: empty at first; for a named board kept on disk.
//
// The interpreter's file system lives in memory. A named board is loaded from its folder at boot,
// and what a command changed is written through when the command ends, and before anything that it
// prints after closing the file: who reads that it is there may kill the board. Each file by write
// and rename: killing loses at most what the running command has told nothing of, never half a file.
//
// What the disk refuses is an OSError on the board. Its interpreter does not look at what closing a
// file says, so it comes a step later: with the next that would change something.
import { createRequire } from "node:module";

const require = createRequire(import.meta.url); // see host.mjs
const {
  existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync,
} = require("node:fs");
const { dirname, join } = require("node:path");

const SYSTEM = new Set(["dev", "proc"]);

/** Make the root look as a fresh board's: nothing in it. /dev and /proc work but are not listed. */
export function hideSystemFolders(FS) {
  for (const path of ["/home/web_user", "/home", "/tmp"]) FS.rmdir(path);
  const readdir = FS.readdir;
  FS.readdir = (path) => {
    const names = readdir(path);
    return path === "/" ? names.filter((name) => !SYSTEM.has(name)) : names;
  };
}

const isSystem = (path) => SYSTEM.has(path.split("/")[1]);

/** Names are as long as disks take them, and as the interpreter's own listing does: it cuts longer ones. */
export function limitNames(FS) {
  const before = (name, at) => {
    const original = FS[name];
    FS[name] = (...args) => {
      const last = args[at].replace(/\/+$/, "").split("/").pop();
      if (Buffer.byteLength(last) > LONGEST_NAME) throw new FS.ErrnoError(ERRNO.ENAMETOOLONG);
      return original.apply(FS, args);
    };
  };
  before("mknod", 0); // by this all is made: `open` and `mkdir` call it
  before("rename", 1);
}

export class Disk {
  #touched = new Set();
  #refused = new Map(); // by path, what the disk said

  constructor(folder) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
  }

  get dirty() { return this.#touched.size > 0; }

  /** Fill a new interpreter's file system from the folder and follow its changes. */
  mount(FS) {
    this.#touched.clear();
    this.#refused.clear();
    this.#load(FS, "/");
    this.#follow(FS);
  }

  /** What is no file or folder, or cannot be read, is not the board's. */
  #load(FS, path) {
    for (const name of readdirSync(join(this.folder, path))) {
      const inside = path + name;
      const real = join(this.folder, inside);
      if (inside === PART || isSystem(inside)) continue;
      safely(() => {
        const found = statSync(real);
        if (found.isDirectory()) {
          FS.mkdir(inside);
          this.#load(FS, `${inside}/`);
        } else if (found.isFile()) FS.writeFile(inside, readFileSync(real));
      });
    }
  }

  #follow(FS) {
    const touch = (path) => { if (path && !isSystem(path)) this.#touched.add(path); };
    const path = (name) => safely(() => canonical(FS, name));
    const hook = (name, around) => {
      const original = FS[name];
      FS[name] = (...args) => around((...own) => original.apply(FS, own), ...args);
    };
    const after = (change, name, ...rest) => {
      const changed = path(name);
      const result = change(name, ...rest);
      touch(changed);
      return result;
    };
    hook("unlink", after);
    hook("rmdir", after);
    hook("mkdir", (change, ...args) => {
      this.#refuse(FS);
      this.#limit(FS, path(args[0]));
      return after(change, ...args);
    });
    hook("rename", (change, from, to) => {
      this.saveClosed(FS);
      this.#refuse(FS);
      const [old, now] = [path(from), path(to)];
      this.#limit(FS, now);
      change(from, to);
      if (!this.dirty && !isSystem(old) && !isSystem(now)) {
        const moved = safely(() => renameSync(join(this.folder, old), join(this.folder, now)) ?? true);
        if (moved) return;
      }
      touch(now);
      touch(old);
    });
    hook("open", (open, name, flags, ...rest) => {
      if (flags & WRITING && !isSystem(path(name) ?? "")) {
        this.#refuse(FS);
        this.#limit(FS, path(name));
      }
      const stream = open(name, flags, ...rest);
      if (isWritable(stream)) touch(FS.getPath(stream.node));
      return stream;
    });
    hook("write", (write, stream, ...rest) => {
      if (stream.fd > 2) {
        this.#refuse(FS);
        touch(FS.getPath(stream.node));
      }
      return write(stream, ...rest);
    });
  }

  /** Refuse a change while the disk does not take an earlier one. */
  #refuse(FS) {
    if (this.#refused.size === 0) return;
    this.#save(FS, [...this.#refused.keys()]);
    for (const errno of this.#refused.values()) throw new FS.ErrnoError(errno);
  }

  /** Refuse a path that the disk can never take. */
  #limit(FS, path) {
    const real = join(this.folder, path ?? "");
    if (Buffer.byteLength(real) > LONGEST_PATH) throw new FS.ErrnoError(ERRNO.ENAMETOOLONG);
  }

  /** Write what changed through to the folder. */
  save(FS) { this.#save(FS, [...this.#touched]); }

  /** The same for what is not just being written. */
  saveClosed(FS) {
    const written = FS.streams.filter((stream) => stream && isWritable(stream));
    const open = new Set(written.map((stream) => FS.getPath(stream.node)));
    this.#save(FS, [...this.#touched].filter((path) => !open.has(path)));
  }

  #save(FS, paths) {
    for (const path of paths) {
      this.#touched.delete(path);
      this.#refused.delete(path);
      try {
        this.#store(FS, path);
      } catch (error) {
        this.#refused.set(path, ERRNO[error.code] ?? ERRNO.EIO);
        safely(() => rmSync(join(this.folder, PART), { force: true }));
      }
    }
  }

  #store(FS, path) {
    const real = join(this.folder, path);
    const node = safely(() => FS.lookupPath(path, { follow: false }).node);
    if (!node) return existsSync(real) && rmSync(real, { recursive: true, force: true });
    mkdirSync(dirname(real), { recursive: true });
    if (FS.isDir(node.mode)) {
      if (existsSync(real) && !statSync(real).isDirectory()) rmSync(real);
      mkdirSync(real, { recursive: true });
      for (const name of FS.readdir(path)) {
        if (name !== "." && name !== "..") this.#store(FS, `${path}/${name}`);
      }
      return undefined;
    }
    if (existsSync(real) && statSync(real).isDirectory()) rmSync(real, { recursive: true });
    const part = join(this.folder, PART);
    writeFileSync(part, FS.readFile(path));
    return renameSync(part, real);
  }

  /** Carry the files of an unnamed board over a reset: its flash outlives its RAM. */
  static copy(from, to, path = "/") {
    for (const name of from.readdir(path)) {
      if (name === "." || name === "..") continue;
      const inside = path + name;
      if (from.isDir(from.lookupPath(inside, {}).node.mode)) {
        to.mkdir(inside);
        Disk.copy(from, to, `${inside}/`);
      } else to.writeFile(inside, from.readFile(inside));
    }
  }
}

const PART = "/.klemheist-part"; // one at a time: its length is no matter of the file's
const LONGEST_NAME = 255; // bytes, as below
const LONGEST_PATH = 4095;
const WRITING = 3; // bits of an open file's flags
const ERRNO = { // as the interpreter's system library has them
  EACCES: 2, EDQUOT: 19, EIO: 29, ENAMETOOLONG: 37, ENOSPC: 51, EPERM: 63, EROFS: 69,
};
const isWritable = (stream) => (stream.flags & WRITING) !== 0;

/** The absolute path of a name that may not exist any more, or yet. */
function canonical(FS, path) {
  const folder = FS.getPath(FS.lookupPath(path, { parent: true }).node).replace(/\/$/, "");
  return `${folder}/${path.replace(/\/+$/, "").split("/").pop()}`;
}

function safely(look) {
  try {
    return look();
  } catch {
    return null;
  }
}
