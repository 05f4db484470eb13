/** One release as a picture: requests over time by the version that answered, and those that failed, without hitless above and with it below. */
import { isFailure } from './load.ts'
import type { Run, Write } from './play.ts'

const WIDTH = 960
const LEFT = 50
const RIGHT = 20
const PANEL_HEIGHT = 150
const KEYS_HEIGHT = 34
const PANEL_TOP = 62
const PANEL_STEP = 244
const LEGEND_TOP = KEYS_HEIGHT + 2 * PANEL_STEP + 22
const LINE = 18
const BIN_MS = 200

/** As they stand on one another, from below. The colours keep apart for colour-blind readers, on light and on dark ground. */
const LAYERS = [
  { key: 'v1', label: 'answered by v1', color: '#4c8fd6' },
  { key: 'v2', label: 'answered by v2', color: '#57b894' },
  { key: 'failed', label: 'failed', color: '#e5484d' }
] as const

const STYLE = `
  text { font: 13px -apple-system, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif; fill: #1f2328 }
  .title { font-size: 15px; font-weight: 600 }
  .ground { fill: #fff }
  .quiet { fill: #59636e; font-size: 12px }
  .axis { stroke: #8c959f; stroke-opacity: .5 }
  .write { stroke: #59636e; stroke-dasharray: 2 3 }
  .write.refused { stroke: #8b5cf6; stroke-width: 2; stroke-dasharray: none }
  .disc { fill: #59636e }
  .disc.refused { fill: #8b5cf6; stroke: none }
  .end { text-anchor: end }
  .number { fill: #fff; font-size: 11px; font-weight: 600; text-anchor: middle }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117 }
    text { fill: #f0f6fc }
    .quiet { fill: #9198a1 }
    .write { stroke: #9198a1 }
  }`

/** An SVG document. Both runs are of the same script, so that a number means the same write in both. */
export function picture(without: Run, withHitless: Run): string {
  const runs = [without, withHitless]
  const spanMs = Math.max(...runs.map(({ answers, startedMs }) => (answers.at(-1)?.dueMs ?? startedMs) - startedMs))
  const most = Math.max(...runs.flatMap((run) => columns(run).map(({ counts }) => counts.reduce((sum, count) => sum + count, 0))))
  const scale = {
    x: (ms: number) => LEFT + (ms / spanMs) * (WIDTH - LEFT - RIGHT),
    y: (count: number) => (count / most) * PANEL_HEIGHT,
    mostPerSecond: (most * 1000) / BIN_MS
  }
  const legend = legendOf(without.writes)
  const height = LEGEND_TOP + Math.ceil(without.writes.length / 2) * LINE + 10
  const title = `A release with ${without.script.title}, without hitless and with it`
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="title">`,
    `<title id="title">${escaped(title)}</title>`,
    `<style>${STYLE}\n</style>`,
    // The page around it may be dark where the reader's system is light, so it brings its own ground.
    `<rect class="ground" width="${WIDTH}" height="${height}" rx="6"/>`,
    ...keys(),
    panel(without, 'Without hitless', KEYS_HEIGHT, scale),
    panel(withHitless, 'With hitless', KEYS_HEIGHT + PANEL_STEP, scale),
    ...legend,
    '</svg>',
    ''
  ].join('\n')
}

interface Scale {
  readonly mostPerSecond: number
  readonly x: (ms: number) => number
  readonly y: (count: number) => number
}

function panel(run: Run, name: string, top: number, { x, y, mostPerSecond }: Scale): string {
  const base = top + PANEL_TOP + PANEL_HEIGHT
  const failed = run.answers.filter(isFailure).length
  const bars = columns(run).flatMap(({ fromMs, counts }) => {
    let under = 0
    return counts.map((count, layer) => {
      under += count
      return count === 0 ? '' : rect(x(fromMs), base - y(under), x(fromMs + BIN_MS) - x(fromMs) - 0.5, y(count), LAYERS[layer]?.color ?? '')
    })
  })
  const seconds = Math.floor((run.answers.at(-1)?.dueMs ?? 0) - run.startedMs) / 1000
  const ticks = Array.from({ length: Math.floor(seconds / 5) + 1 }, (_, at) => 5 * at)
  return [
    `<g>`,
    text(LEFT, top + 22, `${name}: ${count(failed)} of ${count(run.answers.length)} requests failed`, 'title'),
    text(LEFT - 6, base - PANEL_HEIGHT + 10, `${Math.round(mostPerSecond)}/s`, 'quiet end'),
    text(LEFT - 6, base, '0', 'quiet end'),
    ...bars,
    `<line class="axis" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${base}" y2="${base}"/>`,
    ...ticks.map((second) => text(x(second * 1000), base + 16, `${second} s`, 'quiet')),
    ...run.writes.map((write) => mark(write, x(write.answeredMs - run.startedMs), top + PANEL_TOP, base)),
    '</g>'
  ]
    .filter((line) => line !== '')
    .join('\n')
}

function mark({ step, verdict }: Write, x: number, top: number, base: number): string {
  const style = verdict === 'refused' ? ' refused' : ''
  return [
    `<line class="write${style}" x1="${round(x)}" x2="${round(x)}" y1="${top - 8}" y2="${base}"/>`,
    `<circle class="disc${style}" cx="${round(x)}" cy="${top - 14}" r="9"/>`,
    `<text class="number" x="${round(x)}" y="${top - 10}">${step}</text>`
  ].join('')
}

function keys(): string[] {
  const answered = LAYERS.map(({ label, color }, at) => rect(LEFT + 135 * at, 10, 12, 12, color) + text(LEFT + 135 * at + 18, 21, label))
  const written = ['write admitted', 'write refused'].map((label, at) => {
    const x = LEFT + 360 + 135 * at
    return `<circle class="disc${at === 0 ? '' : ' refused'}" cx="${x}" cy="16" r="7"/>${text(x + 13, 21, label)}`
  })
  return [...answered, ...written]
}

/** The writes by number, in two columns. */
function legendOf(writes: readonly Write[]): string[] {
  const half = Math.ceil(writes.length / 2)
  return writes.map(({ step, what }, at) =>
    text(LEFT + (at < half ? 0 : (WIDTH - LEFT) / 2), LEGEND_TOP + (at % half) * LINE, `${step}  ${what}`)
  )
}

/** Requests by when they were due; those that failed count by their failure, not by a version. */
function columns({ answers, startedMs }: Run): { fromMs: number; counts: number[] }[] {
  const columns = new Map<number, number[]>()
  for (const answer of answers.filter(({ dueMs }) => dueMs >= startedMs)) {
    const bin = Math.floor((answer.dueMs - startedMs) / BIN_MS)
    const key = isFailure(answer) ? 'failed' : answer.version
    const counts = columns.get(bin) ?? LAYERS.map(() => 0)
    columns.set(
      bin,
      counts.map((count, at) => (LAYERS[at]?.key === key ? count + 1 : count))
    )
  }
  return [...columns].map(([bin, counts]) => ({ fromMs: bin * BIN_MS, counts }))
}

function rect(x: number, y: number, width: number, height: number, color: string): string {
  return `<rect x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}" fill="${color}"/>`
}

function text(x: number, y: number, content: string, style = ''): string {
  return `<text${style === '' ? '' : ` class="${style}"`} x="${round(x)}" y="${y}">${escaped(content)}</text>`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}

function round(value: number): string {
  return String(Math.round(value * 10) / 10)
}

function count(value: number): string {
  return value.toLocaleString('en-US')
}
