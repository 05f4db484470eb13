/**
 * Files and folders as a command line names them. Others may have written what stands in them, so they choose nothing: sizes are bounded,
 * only files are read, and no link leads out of the folder that was named.
 */
import {
  closeSync,
  constants,
  type Dirent,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  realpathSync,
  statSync
} from 'node:fs'
import { dirname, isAbsolute, join, parse, relative, resolve, sep } from 'node:path'
import { getSystemErrorMessage } from 'node:util'
import { HitlessError } from '../errors.ts'
import { compareText } from '../mesh/names/text.ts'

/** Ten thousand objects of 6 KiB; many times what anybody keeps in one file. */
export const MOST_FILE_BYTES = 64 << 20
/** Bytes of all files that one command reads. */
export const MOST_BYTES = 4 * MOST_FILE_BYTES

/** The name of standard input where files are named. */
export const STDIN = '<stdin>'

const NOBODY_WAKES = new Int32Array(new SharedArrayBuffer(4))
const POLL_MS = 5

export const MANIFEST_FILE = /\.(ya?ml|json)$/

export interface TextFile {
  readonly file: string
  readonly text: string
  /** It was not named, but stands in a folder that was. */
  readonly isFound: boolean
}

/** Reads folders recursively, in the order of names, and of them only what is named like a manifest; `-` is standard input. What cannot be read is an error beside the rest. */
export function readFiles(paths: readonly string[], readStdin: () => string): { files: TextFile[]; errors: HitlessError[] } {
  const reader = new Reader()
  const files = paths.flatMap((path) => (path === '-' ? [{ file: STDIN, text: readStdin(), isFound: false }] : reader.named(path)))
  return { files, errors: reader.errors }
}

/** One file's content. Throws HITLESS_UNREADABLE, HITLESS_LINK, HITLESS_NO_FILE or HITLESS_FILE_SIZE. */
export function readText(file: string): string {
  return coded(file, () => textOf(file, MOST_FILE_BYTES))
}

/** Throws as `readText`. */
export function readStandardInput(): string {
  return coded(STDIN, () => readDescriptor(0, STDIN, MOST_FILE_BYTES))
}

/** All that a descriptor gives. Throws as soon as that is too much: a pipe need not end. */
function readDescriptor(descriptor: number, file: string, most: number): string {
  const chunks: Buffer[] = []
  let size = 0
  for (;;) {
    const chunk = Buffer.allocUnsafe(1 << 16)
    const read = readOnceThere(descriptor, chunk)
    if (read === 0) return decoded(Buffer.concat(chunks))
    size += read
    if (size > most) throw tooLarge(file, most)
    chunks.push(chunk.subarray(0, read))
  }
}

/** Waits where nothing is there yet, even where the descriptor does not: Node makes a pipe on standard input so as soon as anybody imports `node:process`. */
function readOnceThere(descriptor: number, chunk: Buffer): number {
  for (;;) {
    try {
      return readSync(descriptor, chunk)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error
      Atomics.wait(NOBODY_WAKES, 0, 0, POLL_MS)
    }
  }
}

export function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}

/** Throws HITLESS_LINK where a link on the way to a path leads anywhere but further down from where it stands. */
export function assertNoWayOut(path: string): void {
  const start = isAbsolute(path) ? parse(path).root : resolve('.')
  let at = start
  for (const step of relative(start, resolve(path)).split(sep)) {
    at = join(at, step)
    if (step === '' || step === '..' || !isLink(at)) continue
    if (!isInside(realpathSync(at), realpathSync(dirname(at)))) throw waysOut(path, realpathSync(at))
  }
}

class Reader {
  readonly errors: HitlessError[] = []
  #left = MOST_BYTES

  /** What somebody names is read whatever its ending. */
  named(path: string): TextFile[] {
    return this.#orError(path, () => {
      if (isDescriptor(path)) return this.#file(path, false)
      assertNoWayOut(path)
      return statSync(path).isDirectory() ? this.#folder(path, realpathSync(path)) : this.#file(path, false)
    })
  }

  #folder(path: string, root: string): TextFile[] {
    const entries = readdirSync(path, { withFileTypes: true }).sort((one, other) => compareText(one.name, other.name))
    return entries
      .filter((entry) => entry.isDirectory() || (MANIFEST_FILE.test(entry.name) && !isOfKubelet(entry, path)))
      .flatMap((entry) => this.#orError(join(path, entry.name), () => this.#entry(entry, join(path, entry.name), root)))
  }

  #entry(entry: Dirent, path: string, root: string): TextFile[] {
    if (entry.isDirectory()) return this.#folder(path, root)
    if (entry.isSymbolicLink() && !isInside(realpathSync(path), root)) throw waysOut(path, realpathSync(path))
    if (!statSync(path).isFile()) throw noFile(path)
    return this.#file(path, true)
  }

  #file(file: string, isFound: boolean): TextFile[] {
    const text = textOf(file, Math.min(MOST_FILE_BYTES, this.#left))
    this.#left -= Buffer.byteLength(text)
    return [{ file, text, isFound }]
  }

  #orError(path: string, read: () => TextFile[]): TextFile[] {
    try {
      return coded(path, read)
    } catch (error) {
      if (!(error instanceof HitlessError)) throw error
      this.errors.push(error)
      return []
    }
  }
}

/** A shell hands a command's output over as such a name: `hitless check <(helm template .)`. */
function isDescriptor(path: string): boolean {
  return /^\/dev\/(?:stdin|fd\/\d+)$/.test(path)
}

/** Devices are never opened: some act on that alone, and some never end. A pipe ends, or is too large. */
function textOf(file: string, most: number): string {
  const found = statSync(file)
  if (found.isDirectory()) throw noFile(file)
  if (!found.isFile() && !found.isFIFO() && !isDescriptor(file)) throw noFile(file)
  if (found.size > most) throw tooLarge(file, most)
  const descriptor = openSync(file, constants.O_RDONLY)
  try {
    if (fstatSync(descriptor).isCharacterDevice()) throw noFile(file)
    return readDescriptor(descriptor, file, most)
  } finally {
    closeSync(descriptor)
  }
}

/** Windows' shells write what they redirect in UTF-16. */
function decoded(bytes: Buffer): string {
  const [first, second] = bytes
  const encoding = first === 0xff && second === 0xfe ? 'utf-16le' : first === 0xfe && second === 0xff ? 'utf-16be' : 'utf-8'
  return new TextDecoder(encoding).decode(bytes)
}

function coded<T>(path: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (cause instanceof HitlessError) throw cause
    const reason = cause instanceof Error && 'errno' in cause ? ` (${getSystemErrorMessage(Number(cause.errno))})` : ''
    throw new HitlessError('HITLESS_UNREADABLE', `${path}: cannot be read${reason}`, { cause })
  }
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false
}

/** A link as kubelet makes it for each file of a ConfigMap, to a folder beside that is replaced as a whole: the file is read where it stands. */
function isOfKubelet(entry: Dirent, folder: string): boolean {
  const path = join(folder, entry.name)
  if (!entry.isSymbolicLink() || !readlinkSync(path).startsWith('..data/')) return false
  const target = realpathSync(path)
  return MANIFEST_FILE.test(target) && isInside(target, realpathSync(folder))
}

function isInside(path: string, folder: string): boolean {
  const way = relative(folder, path)
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way)
}

function waysOut(path: string, target: string): HitlessError {
  return new HitlessError('HITLESS_LINK', `${path}: a link leads out of its folder; if that is meant, name ${target} itself`)
}

function noFile(path: string): HitlessError {
  return new HitlessError('HITLESS_NO_FILE', `${path}: is no file`)
}

function tooLarge(path: string, most: number): HitlessError {
  const limit = most === MOST_FILE_BYTES ? `a file of at most ${most >> 20} MiB` : `at most ${MOST_BYTES >> 20} MiB in all`
  return new HitlessError('HITLESS_FILE_SIZE', `${path}: hitless reads ${limit}`)
}
