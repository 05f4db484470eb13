/** Which of many conditions may cover a request class, found by what the class names instead of by asking each. */
import { effortOf, lowerKeys, type RequestClass } from './classes.ts'
import type { StringMatch } from './objects.ts'
import { matchesEveryPath } from './regex.ts'
import type { Condition } from './table.ts'

/** So few are asked one by one sooner than they are indexed. */
const FEW = 16
/** The anchor of conditions that may cover any class. */
const ANY = '*'
/** That of regular expressions of the path: the class names a path. */
const SOME_PATH = 'path'

export class Conditions {
  readonly #conditions: readonly Condition[]
  readonly #byAnchor: ReadonlyMap<string, readonly number[]> | null
  readonly #prefixLengths: readonly number[]

  constructor(conditions: readonly Condition[]) {
    this.#conditions = conditions
    this.#byAnchor = conditions.length <= FEW ? null : anchored(conditions)
    this.#prefixLengths = [...new Set([...(this.#byAnchor?.keys() ?? [])].flatMap((anchor) => prefixLength(anchor) ?? []))]
  }

  /** The places, in order, of those that may cover the class; every condition that does is among them. `charge` is told the effort of asking each. */
  *mayCover(requestClass: RequestClass, charge: (steps: number) => void): Iterable<number> {
    for (const place of this.#places(requestClass)) {
      const condition = this.#conditions[place]
      if (condition === undefined) continue
      charge(effortOf(condition, requestClass))
      yield place
    }
  }

  #places(requestClass: RequestClass): Iterable<number> {
    const byAnchor = this.#byAnchor
    if (byAnchor === null) return this.#conditions.keys()
    const found = this.#anchorsOf(requestClass).flatMap((anchor) => byAnchor.get(anchor) ?? [])
    return found.sort((one, other) => one - other)
  }

  #anchorsOf({ uri, headers, queryParams }: RequestClass): string[] {
    const named = [...valueAnchors('header', lowerKeys(headers)), ...valueAnchors('parameter', queryParams)]
    if (uri === null) return [ANY, ...named]
    if (uri.type !== 'exact' && uri.type !== 'prefix') return [ANY, SOME_PATH, ...named]
    const path = uri.value.toLowerCase()
    const lengths = this.#prefixLengths.filter((length) => length <= path.length)
    return [ANY, SOME_PATH, ...named, exact(path), ...lengths.map((length) => prefix(path.slice(0, length)))]
  }
}

/** Each condition at the rarest of its anchors: what a class must name for the condition to cover it. */
function anchored(conditions: readonly Condition[]): Map<string, number[]> {
  const anchors = conditions.map(anchorsOf)
  const counts = new Map<string, number>()
  for (const anchor of anchors.flat()) counts.set(anchor, (counts.get(anchor) ?? 0) + 1)
  const byAnchor = new Map<string, number[]>()
  for (const [place, own] of anchors.entries()) {
    const [first = ANY, ...others] = own
    const rarest = others.reduce((best, anchor) => ((counts.get(anchor) ?? 0) < (counts.get(best) ?? 0) ? anchor : best), first)
    const places = byAnchor.get(rarest)
    if (places === undefined) byAnchor.set(rarest, [place])
    else places.push(place)
  }
  return byAnchor
}

function anchorsOf({ uri, headers, queryParams }: Condition): string[] {
  const found = [
    ...pathAnchors(uri),
    ...Object.entries(lowerKeys(headers)).map(([name, match]) => anchorOf('header', name, match)),
    ...Object.entries(queryParams).map(([name, match]) => anchorOf('parameter', name, match))
  ]
  return found.length === 0 ? [ANY] : found
}

/** Paths are anchored in lower case, since either side may ignore theirs; other alphabets change length or context by it, and are not anchored. */
function pathAnchors(uri: StringMatch | null): string[] {
  if (uri === null || uri.type === 'present') return []
  if (uri.type === 'regex') return matchesEveryPath(uri.value) ? [] : [SOME_PATH]
  if (!isAscii(uri.value)) return [SOME_PATH]
  if (uri.type === 'exact') return [exact(uri.value.toLowerCase())]
  return uri.value === '' || uri.value === '/' ? [] : [prefix(uri.value.toLowerCase())]
}

function anchorOf(what: string, name: string, match: StringMatch): string {
  return match.type === 'exact' ? `${what} ${name} = ${match.value}` : `${what} ${name}`
}

/** What a class says of a name lets conditions on that name cover it: of any form, and of the very value. */
function valueAnchors(what: string, matches: Readonly<Record<string, StringMatch>>): string[] {
  return Object.entries(matches).flatMap(([name, match]) => {
    const any = `${what} ${name}`
    return match.type === 'exact' ? [any, `${any} = ${match.value}`] : [any]
  })
}

function exact(path: string): string {
  return `=${path}`
}

function prefix(path: string): string {
  return `^${path}`
}

function prefixLength(anchor: string): number | null {
  return anchor.startsWith('^') ? anchor.length - 1 : null
}

function isAscii(text: string): boolean {
  return /^\p{ASCII}*$/u.test(text)
}
