/** What the modules of this repository import from each other, and export. Read by the text: one style of imports is all that lint lets pass. */
import { posix } from 'node:path'

export interface Import {
  /** As written: a relative path, or a package. */
  readonly specifier: string
  /** What is taken by name, without `type` and `as`; 'all' where it is the module itself. */
  readonly names: readonly string[] | 'all'
  /** Gone at run time. */
  readonly isType: boolean
}

const STATEMENT = /^(?:import|export)\s+(type\s+)?(?:([^'"]*?)\sfrom\s+)?'([^']+)'/gm
const DYNAMIC = /\bimport\(\s*'([^']+)'/g
const EXPORT = /^export (?:async )?(?:function\*?|const|class|interface|type) (\w+)/gm

export function importsOf(text: string): Import[] {
  const statements = [...text.matchAll(STATEMENT)].map(([, type, names = '', specifier = '']) => ({
    specifier,
    names: namesOf(names),
    isType: type !== undefined
  }))
  const dynamic = [...text.matchAll(DYNAMIC)].map(([, specifier = '']) => ({ specifier, names: 'all' as const, isType: false }))
  return [...statements, ...dynamic]
}

export function exportsOf(text: string): string[] {
  return [...text.matchAll(EXPORT)].map(([, name = '']) => name)
}

/** The path of what a relative specifier in the file at `from` names. */
export function resolved(from: string, specifier: string): string {
  return posix.join(posix.dirname(from), specifier)
}

export function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
}

/** Each group of modules that reach one another, types included: a reader of one has to read them all. */
export function cyclesIn(modules: ReadonlyMap<string, string>): string[][] {
  const next = new Map([...modules].map(([path, text]) => [path, relativeTargets(path, text)]))
  const reached = new Map([...next.keys()].map((path) => [path, reachedFrom(path, next)]))
  const cycles = [...next.keys()].map((path) => [...(reached.get(path) ?? [])].filter((other) => reached.get(other)?.has(path)).sort())
  return [...new Map(cycles.filter((cycle) => cycle.length > 0).map((cycle) => [cycle.join(), cycle])).values()]
}

/** Exports of `modules` that no other of them, and none of the `users`, takes by name: `path: name`. */
export function unusedExports(modules: ReadonlyMap<string, string>, users: ReadonlyMap<string, string>): string[] {
  const taken = new Set<string>()
  for (const [path, text] of [...modules, ...users]) {
    for (const { specifier, names } of importsOf(text).filter(({ specifier }) => specifier.startsWith('.'))) {
      const target = resolved(path, specifier)
      for (const name of names === 'all' ? exportsOf(modules.get(target) ?? '') : names) taken.add(`${target}: ${name}`)
    }
  }
  return [...modules].flatMap(([path, text]) =>
    exportsOf(text)
      // A type may be exported for the signature that has it, as the options of a function.
      .filter((name) => !isTypeInUse(name, withoutComments(text)))
      .map((name) => `${path}: ${name}`)
      .filter((named) => !taken.has(named))
  )
}

function isTypeInUse(name: string, text: string): boolean {
  return (
    new RegExp(`^export (?:interface|type) ${name}\\b`, 'm').test(text) && (text.match(new RegExp(`\\b${name}\\b`, 'g'))?.length ?? 0) > 1
  )
}

function namesOf(clause: string): readonly string[] | 'all' {
  const [, braced] = /\{([^}]*)\}/.exec(clause) ?? []
  if (braced === undefined) return 'all'
  return braced
    .split(',')
    .map((part) =>
      part
        .replace(/^\s*type\s/, '')
        .replace(/\sas\s.*$/, '')
        .trim()
    )
    .filter((name) => name !== '')
}

function relativeTargets(path: string, text: string): string[] {
  return importsOf(withoutComments(text)).flatMap(({ specifier }) => (specifier.startsWith('.') ? [resolved(path, specifier)] : []))
}

function reachedFrom(path: string, next: ReadonlyMap<string, readonly string[]>): Set<string> {
  const reached = new Set<string>()
  const open = [...(next.get(path) ?? [])]
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    if (reached.has(at)) continue
    reached.add(at)
    open.push(...(next.get(at) ?? []))
  }
  return reached
}
