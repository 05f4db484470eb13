/** Which of many routes or match entries may cover a request class, found by what the class names instead of by asking each. */

import type { Condition, StringMatch } from '../../kinds/http-rule.ts'
import { literalStart, matchesEveryPath } from '../names/regex.ts'
import { covers, effortOf, isPlainCondition, lowerKeys, TEXT_A_STEP } from '../routing/covers.ts'
import type { RequestClass } from './classes.ts'

/** Up to so many items are asked one by one: an index of them would cost more. */
const FEW = 16
/** The anchor of conditions that may cover any class. */
const ANY = '*'
/** That of regular expressions of the path: the class names a path. */
const SOME_PATH = 'path'

/** Items put in their order in one step of work. */
const ITEMS_A_STEP = 8

type Items<T> = readonly { readonly item: T; readonly condition: Condition; readonly place: number }[]

export class Conditions<T> {
  readonly #items: readonly T[]
  readonly #conditionOf: (item: T) => Condition
  #asked = 0
  #index: Index<T> | null = null

  constructor(items: readonly T[], conditionOf: (item: T) => Condition) {
    this.#items = items
    this.#conditionOf = conditionOf
  }

  /** The first that covers the class. `charge` is told the effort of asking each. */
  first(requestClass: RequestClass, charge: (steps: number) => void): T | undefined {
    if (!this.#isIndexed()) return this.#firstOfAll(requestClass, charge)
    for (const item of this.mayCover(requestClass, charge)) if (covers(this.#conditionOf(item), requestClass)) return item
    return undefined
  }

  /** An index costs as much as to ask each of many a few times. */
  #isIndexed(): boolean {
    return this.#items.length > FEW && (this.#index !== null || this.#asked++ >= FEW)
  }

  /** In their order, those that may cover the class; every one that does is among them. `charge` is told the effort of asking each. */
  *mayCover(requestClass: RequestClass, charge: (steps: number) => void): Iterable<T> {
    const index = this.#index ?? new Index(this.#items, this.#conditionOf)
    this.#index = index
    charge(index.effortToFind(requestClass))
    const found = index.find(requestClass)
    charge(found.length / ITEMS_A_STEP)
    for (const { item, condition } of found) {
      charge(effortOf(condition, requestClass))
      yield item
    }
  }

  #firstOfAll(requestClass: RequestClass, charge: (steps: number) => void): T | undefined {
    const isPlain = isPlainCondition(requestClass)
    let steps = 0
    for (const item of this.#items) {
      const condition = this.#conditionOf(item)
      steps += isPlain && isPlainCondition(condition) ? 1 : effortOf(condition, requestClass)
      if (steps > STEPS_A_CHARGE) {
        charge(steps)
        steps = 0
      }
      if (!covers(condition, requestClass)) continue
      charge(steps)
      return item
    }
    charge(steps)
    return undefined
  }
}

/** Steps are charged in portions of this size, since each charge costs something itself. */
const STEPS_A_CHARGE = 64

class Index<T> {
  readonly #items: Items<T>
  readonly #byAnchor: ReadonlyMap<string, Items<T>> | null
  readonly #prefixLengths: readonly number[]

  constructor(items: readonly T[], conditionOf: (item: T) => Condition) {
    this.#items = items.map((item, place) => ({ item, condition: conditionOf(item), place }))
    this.#byAnchor = items.length <= FEW ? null : anchored(this.#items)
    this.#prefixLengths = [...new Set([...(this.#byAnchor?.keys() ?? [])].flatMap((anchor) => prefixLength(anchor) ?? []))]
  }

  /** Each length of a prefix cuts the path once. */
  effortToFind({ uri }: RequestClass): number {
    if (uri === null || uri.type === 'present') return 0
    return (Math.min(this.#prefixLengths.length, uri.value.length) * uri.value.length) / TEXT_A_STEP
  }

  find(requestClass: RequestClass): Items<T> {
    const byAnchor = this.#byAnchor
    if (byAnchor === null) return this.#items
    return this.#anchorsOf(requestClass)
      .flatMap((anchor) => byAnchor.get(anchor) ?? [])
      .sort((one, other) => one.place - other.place)
  }

  #anchorsOf({ uri, headers, queryParams }: RequestClass): string[] {
    const named = [...valueAnchors('header', lowerKeys(headers)), ...valueAnchors('parameter', queryParams)]
    if (uri === null) return [ANY, ...named]
    if (uri.type === 'present') return [ANY, SOME_PATH, ...named]
    const path = (uri.type === 'regex' ? literalStart(uri.value) : uri.value).toLowerCase()
    const lengths = this.#prefixLengths.filter((length) => length <= path.length)
    return [ANY, SOME_PATH, ...named, exact(path), ...lengths.map((length) => prefix(path.slice(0, length)))]
  }
}

/** Each at the rarest of its anchors: what a class must name for the condition to cover it. */
function anchored<T>(items: Items<T>): Map<string, Items<T>> {
  const anchors = items.map((item) => ({ item, own: anchorsOf(item.condition) }))
  const counts = new Map<string, number>()
  for (const anchor of anchors.flatMap(({ own }) => own)) counts.set(anchor, (counts.get(anchor) ?? 0) + 1)
  const rarest = (own: readonly string[]) =>
    own.reduce((best, anchor) => ((counts.get(anchor) ?? 0) < (counts.get(best) ?? 0) ? anchor : best))
  const groups = Map.groupBy(anchors, ({ own }) => rarest(own))
  return new Map([...groups].map(([anchor, group]) => [anchor, group.map(({ item }) => item)]))
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
