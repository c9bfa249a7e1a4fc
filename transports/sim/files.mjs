// The visible file system of the embedded board: empty at first; for a named board kept on disk.
//
// The interpreter's file system lives in memory. A named board is loaded from its folder at boot,
// and what a command changed is written through when the command ends, and before anything that it
// prints after closing the file: who reads that it is there may kill the board. Each file by write
// and rename: killing loses at most what the running command has told nothing of, never half a file.
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

export class Disk {
  #touched = new Set();

  constructor(folder) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
  }

  get dirty() { return this.#touched.size > 0; }

  /** Fill a new interpreter's file system from the folder and follow its changes. */
  mount(FS) {
    this.#touched.clear();
    this.#load(FS, "/");
    this.#follow(FS);
  }

  #load(FS, path) {
    for (const name of readdirSync(join(this.folder, path))) {
      if (name.endsWith(PART)) continue; // an interrupted write
      const inside = path + name;
      const real = join(this.folder, inside);
      if (statSync(real).isDirectory()) {
        FS.mkdir(inside);
        this.#load(FS, `${inside}/`);
      } else FS.writeFile(inside, readFileSync(real));
    }
  }

  #follow(FS) {
    const touch = (path) => { if (path && !isSystem(path)) this.#touched.add(path); };
    const after = (name, paths) => {
      const original = FS[name];
      FS[name] = (...args) => {
        const before = paths(args).map((path) => safely(() => canonical(FS, path)));
        const result = original.apply(FS, args);
        before.forEach(touch);
        return result;
      };
    };
    after("unlink", ([path]) => [path]);
    after("rmdir", ([path]) => [path]);
    after("mkdir", ([path]) => [path]);
    after("rename", ([from, to]) => [from, to]);
    const open = FS.open;
    FS.open = (...args) => {
      const stream = open.apply(FS, args);
      if (isWritable(stream)) touch(stream.path);
      return stream;
    };
    const write = FS.write;
    FS.write = (stream, ...args) => {
      if (stream.fd > 2) touch(stream.path);
      return write(stream, ...args);
    };
  }

  /** Write what changed through to the folder. */
  save(FS) { this.#save(FS, [...this.#touched]); }

  /** The same for what is not just being written. */
  saveClosed(FS) {
    const open = new Set(FS.streams.map((stream) => stream && isWritable(stream) && stream.path));
    this.#save(FS, [...this.#touched].filter((path) => !open.has(path)));
  }

  #save(FS, paths) {
    for (const path of paths) {
      this.#touched.delete(path);
      this.#store(FS, path);
    }
  }

  #store(FS, path) {
    const real = join(this.folder, path);
    const node = safely(() => FS.lookupPath(path, { follow: false }).node);
    if (!node) return rmSync(real, { recursive: true, force: true });
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
    writeFileSync(real + PART, FS.readFile(path));
    return renameSync(real + PART, real);
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

const PART = ".klemheist-part";
const isWritable = (stream) => (stream.flags & 3) !== 0;

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
