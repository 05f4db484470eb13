/** YAML as kubectl and the API server read it (sigs.k8s.io/yaml, nearly YAML 1.1), with the place of every value. */
import {
  boolYaml11Tag,
  CORE_SCHEMA,
  constructFromEvents,
  defineScalarTag,
  EVENT_ALIAS,
  EVENT_DOCUMENT,
  EVENT_MAPPING,
  EVENT_POP,
  EVENT_SCALAR,
  EVENT_SEQUENCE,
  floatCoreTag,
  getScalarValue,
  mergeTag,
  NOT_RESOLVED,
  parseEvents,
  SCALAR_STYLE_DOUBLE_QUOTED,
  SCALAR_STYLE_SINGLE_QUOTED,
  YAMLException
} from 'js-yaml'
import { HitlessError } from '../errors.ts'
import type { Path } from '../mesh/names/path.ts'
import { Indentation } from './indentation.ts'

/** YAML aliases of one document: more than any honest manifest has. */
const MOST_ALIASES = 100
/** Each alias of a nested anchor multiplies what a reader walks: nine levels of ten make a thousand million values of a kilobyte. */
const MOST_VALUES = 1_000_000

const INTEGER = /^[-+]?(?:0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*)$/

const goInteger = defineScalarTag('tag:yaml.org,2002:int', {
  implicit: true,
  implicitFirstChars: ['-', '+', ...'0123456789'],
  identify: Number.isInteger,
  resolve(source: string) {
    if (!INTEGER.test(source)) return NOT_RESOLVED
    const text = source.replaceAll('_', '')
    const digits = /^[-+]/.test(text) ? text.slice(1) : text
    const value = /^0[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number(digits)
    return text.startsWith('-') ? -value : value
  }
})

const SCHEMA = CORE_SCHEMA.withTags(boolYaml11Tag, goInteger, floatCoreTag, mergeTag)

export interface Position {
  /** Both from 1. */
  readonly line: number
  readonly column: number
}

/** One document of a file: its value, and where in the file each field stands. */
export interface YamlDocument {
  readonly value: unknown
  readonly start: Position
  /** Of the field at a path; where the file has no such field, of the nearest one around it. */
  position(path: Path): Position
}

type Event = ReturnType<typeof parseEvents>[number]

/** The documents of a text, each parsed on its own: one that is broken is an error with its place, and the others still come. */
export function readYaml(text: string, file: string): (YamlDocument | HitlessError)[] {
  const lines = lineStarts(text)
  return split(text).flatMap<YamlDocument | HitlessError>(({ source, offset }) => {
    const indentation = new Indentation(source)
    const at = (position: number) => positionOf(lines, offset + indentation.original(position))
    for (;;) {
      try {
        return readDocuments(indentation.text, at)
      } catch (cause) {
        if (!(cause instanceof YAMLException)) throw cause
        if (indentation.mend(cause)) continue
        const template = indentation.text.indexOf('{{')
        const { line, column } = at(Math.max(cause.mark?.position ?? 0, template))
        const reason = template < 0 ? cause.reason : `a template, not rendered: judge what \`helm template\` prints (${cause.reason})`
        return [new HitlessError('HITLESS_YAML', `${file}:${line}:${column}: ${reason}`, { cause })]
      }
    }
  })
}

function readDocuments(source: string, at: (offset: number) => Position): YamlDocument[] {
  const events = parseEvents(source, {})
  const values = constructFromEvents(events, { source, schema: SCHEMA, maxAliases: MOST_ALIASES })
  if (sizeOf(values, new Map()) > MOST_VALUES) throw new YAMLException(`aliases make more than ${MOST_VALUES} values of this document`)
  const starts = events.flatMap((event, index) => (event.type === EVENT_DOCUMENT ? [index + 1] : []))
  return values.flatMap((value, index) => {
    const first = starts[index] ?? 0
    if (value === null || value === undefined) return []
    const start = at(offsetOf(events[first]))
    return [{ value, start, position: (path: Path) => at(find(events, first, path, source)) }]
  })
}

/** How many values a walk through `value` meets; infinite where it holds itself. */
function sizeOf(value: unknown, known: Map<object, number>): number {
  if (typeof value !== 'object' || value === null) return 1
  const seen = known.get(value)
  if (seen !== undefined) return seen
  known.set(value, Number.POSITIVE_INFINITY)
  const size = Object.values(value).reduce((sum: number, inner: unknown) => sum + sizeOf(inner, known), 1)
  known.set(value, size)
  return size
}

/** The offset of a field: of its key in a mapping, of the item in a sequence. */
function find(events: readonly Event[], first: number, path: Path, source: string): number {
  let node = first
  let found = offsetOf(events[node])
  for (const step of path) {
    const child = childOf(events, node, step, source)
    if (child === null) return found
    found = child.offset
    node = child.node
  }
  return found
}

function childOf(events: readonly Event[], node: number, step: string | number, source: string): { node: number; offset: number } | null {
  const parent = events[node]
  let at = node + 1
  for (let index = 0; events[at] !== undefined && events[at]?.type !== EVENT_POP; index++) {
    if (parent?.type === EVENT_SEQUENCE) {
      if (index === step) return { node: at, offset: offsetOf(events[at]) }
      at = after(events, at)
    } else if (parent?.type === EVENT_MAPPING) {
      const key = events[at]
      const value = after(events, at)
      if (key?.type === EVENT_SCALAR && getScalarValue(source, key) === step) return { node: value, offset: offsetOf(key) }
      at = after(events, value)
    } else return null
  }
  return null
}

/** The index behind a node and all in it. */
function after(events: readonly Event[], node: number): number {
  let depth = 0
  for (let at = node; at < events.length; at++) {
    const type = events[at]?.type
    if (type === EVENT_MAPPING || type === EVENT_SEQUENCE) depth++
    if (type === EVENT_POP) depth--
    if (depth === 0) return at + 1
  }
  return events.length
}

function offsetOf(event: Event | undefined): number {
  if (event === undefined) return 0
  if (event.type === EVENT_SCALAR) return isQuoted(event) ? event.valueStart - 1 : Math.max(0, event.valueStart)
  if (event.type === EVENT_MAPPING || event.type === EVENT_SEQUENCE) return event.start
  return event.type === EVENT_ALIAS && 'anchorStart' in event ? Math.max(0, Number(event.anchorStart)) : 0
}

function isQuoted({ style }: Extract<Event, { style: unknown; valueStart: number }>): boolean {
  return style === SCALAR_STYLE_SINGLE_QUOTED || style === SCALAR_STYLE_DOUBLE_QUOTED
}

/** Cuts a stream at its document markers, so that one broken document does not take the others with it. Directives stay with the document they stand before. */
function split(text: string): { source: string; offset: number }[] {
  const parts: { source: string; offset: number }[] = []
  let from = 0
  for (const marker of text.matchAll(/^---(?=\s|$)/gm)) {
    const before = text.slice(from, marker.index)
    if (before === '' || isDirectives(before)) continue
    parts.push({ source: before, offset: from })
    from = marker.index
  }
  parts.push({ source: text.slice(from), offset: from })
  return parts.flatMap(values)
}

/** JSON may stand one object after another, without a marker. */
function values({ source, offset }: { source: string; offset: number }): { source: string; offset: number }[] {
  const parts: { source: string; offset: number }[] = []
  let from = 0
  for (const end of /^\s*\{/.test(source) ? objectEnds(source) : []) {
    const next = source.slice(end).trimStart()
    if (next === '') break
    if (!next.startsWith('{')) return [{ source, offset }]
    parts.push({ source: source.slice(from, end), offset: offset + from })
    from = end
  }
  return [...parts, { source: source.slice(from), offset: offset + from }]
}

/** Where the outermost braces close; of what is no JSON, anywhere. */
function objectEnds(source: string): number[] {
  const ends: number[] = []
  let depth = 0
  for (const { 0: token, index } of source.matchAll(/"(?:[^"\\]|\\[\s\S])*(?:"|\\?$)|[{}]/g)) {
    if (token === '{') depth++
    if (token === '}' && --depth === 0) ends.push(index + 1)
  }
  return ends
}

/** `%YAML 1.1`, perhaps with comments and blank lines around it. */
function isDirectives(text: string): boolean {
  const lines = text.split(/\r\n?|\n/)
  return lines.some((line) => line.startsWith('%')) && lines.every((line) => /^\s*(?:$|#)|^%/.test(line))
}

function lineStarts(text: string): number[] {
  return [0, ...Array.from(text.matchAll(/\r\n?|\n/g), (end) => end.index + end[0].length)]
}

function positionOf(lines: readonly number[], offset: number): Position {
  let low = 0
  let high = lines.length - 1
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if ((lines[middle] ?? 0) <= offset) low = middle
    else high = middle - 1
  }
  return { line: low + 1, column: offset - (lines[low] ?? 0) + 1 }
}
