/** Reading untyped manifests: every getter gives a value of the asked type, or throws `InvalidField` naming the path. */
import type { Labels } from '../mesh/names/labels.ts'
import { formatPath, type Path } from '../mesh/names/path.ts'

/** A field has a type that the Kubernetes API would refuse. */
export class InvalidField extends Error {
  readonly path: Path

  constructor(path: Path, expected: string, found: unknown) {
    super(`${formatPath(path) || 'object'} must be ${expected}, not ${describe(found)}`)
    this.name = 'InvalidField'
    this.path = path
  }
}

/** One for all objects that lack a field: two that do are the same at a glance. */
const EMPTY: readonly never[] = []
const NO_LABELS: Labels = {}

/** An object of a manifest and the path at which it stands. Absent and null are the same (2.2). */
export class Fields {
  readonly path: Path
  readonly #values: Readonly<Record<string, unknown>>

  constructor(value: unknown, path: Path = []) {
    if (!isRecord(value)) throw new InvalidField(path, 'an object', value)
    this.path = path
    this.#values = value
  }

  /** The object as it is. */
  get value(): Readonly<Record<string, unknown>> {
    return this.#values
  }

  has(key: string): boolean {
    return this.#get(key) !== undefined
  }

  keys(): string[] {
    return Object.keys(this.#values)
  }

  string(key: string, absent = ''): string {
    const value = this.#get(key)
    if (value === undefined) return absent
    if (typeof value !== 'string') throw new InvalidField([...this.path, key], 'a string', value)
    return value
  }

  number(key: string, absent: number): number {
    const value = this.#get(key)
    if (value === undefined) return absent
    if (typeof value !== 'number') throw new InvalidField([...this.path, key], 'a number', value)
    return value
  }

  boolean(key: string): boolean {
    const value = this.#get(key)
    if (value === undefined) return false
    if (typeof value !== 'boolean') throw new InvalidField([...this.path, key], 'true or false', value)
    return value
  }

  /** A number or a string: `targetPort`. */
  numberOrString(key: string, absent: number | string): number | string {
    const value = this.#get(key)
    if (value === undefined) return absent
    return typeof value === 'string' ? value : this.number(key, 0)
  }

  strings(key: string): readonly string[] {
    const values = this.list(key)
    if (values.length === 0) return EMPTY
    return values.map((value, at) => {
      if (typeof value !== 'string') throw new InvalidField([...this.path, key, at], 'a string', value)
      return value
    })
  }

  /** A map of strings, such as labels. */
  labels(key: string): Labels {
    const child = this.child(key)
    return child === null ? NO_LABELS : Object.fromEntries(child.keys().map((name) => [name, child.string(name)]))
  }

  /** The object under `key`, or null where it is absent. */
  child(key: string): Fields | null {
    const value = this.#get(key)
    return value === undefined ? null : new Fields(value, [...this.path, key])
  }

  children(key: string): readonly Fields[] {
    return this.each(key, (child) => child)
  }

  /** What each object of a list is read as. */
  each<T>(key: string, read: (child: Fields) => T): readonly T[] {
    const values = this.list(key)
    return values.length === 0 ? EMPTY : values.map((value, at) => read(new Fields(value, [...this.path, key, at])))
  }

  /** Elements of any type, unread. */
  list(key: string): readonly unknown[] {
    const value = this.#get(key)
    if (value === undefined) return EMPTY
    if (!Array.isArray(value)) throw new InvalidField([...this.path, key], 'a list', value)
    return value
  }

  #get(key: string): unknown {
    return Object.hasOwn(this.#values, key) ? (this.#values[key] ?? undefined) : undefined
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'an object'
  const shown = typeof value === 'string' && value.length > LONGEST_SHOWN ? `${value.slice(0, LONGEST_SHOWN)}…` : value
  return `${typeof value} ${JSON.stringify(shown)}`
}

/** Characters of a value that an error shows: enough to find it. */
const LONGEST_SHOWN = 100
