/** One part of the benchmarks, in a process of its own: tells each row to the process that started it. */
import { measureDecisions } from './decision.ts'
import { measureDesk } from './desk.ts'
import type { Row } from './report.ts'
import { measureRequests } from './requests.ts'
import { measureScale } from './scale.ts'
import { measureSettle } from './settle.ts'
import { measureShapes } from './shapes.ts'
import { measureWrites } from './writes.ts'

const PARTS: Readonly<Record<string, () => Promise<Row[]>>> = {
  decision: measureDecisions,
  shapes: measureShapes,
  requests: measureRequests,
  writes: measureWrites,
  scale: measureScale,
  settle: measureSettle,
  desk: measureDesk
}

const rows = await PARTS[process.argv[2] ?? '']?.()
for (const row of rows ?? []) process.send?.(row)
process.disconnect()
