/** `npm run soak -- [--minutes N] [--writes PER_SECOND]`. */
import { parseArgs } from 'node:util'
import { soak } from './soak.ts'
import { verdictOf } from './soak-verdict.ts'

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '30' }, writes: { type: 'string', default: '20' } } })
const say = (line: string) => void process.stdout.write(`${line}\n`)
const report = await soak({ minutes: Number(values.minutes), writesPerSecond: Number(values.writes), say })
const { lines, faults } = verdictOf(report)
for (const line of [...lines, ...faults.map((fault) => `FAILED: ${fault}`)]) say(line)
process.exitCode = faults.length > 0 ? 1 : 0
