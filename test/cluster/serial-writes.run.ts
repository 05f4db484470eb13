/** The long form: `npm run serial-writes -- [writes] [seed]`. */
import { serialWrites, table } from './serial-writes.ts'

const [writes = '10000', seed = '1'] = process.argv.slice(2)
const say = (line: string) => void process.stdout.write(`${line}\n`)
const { kinds, mismatches, lost, stepReads } = await serialWrites({ writes: Number(writes), seed: Number(seed), say })
const total = [...kinds.values()].reduce((sum, kind) => sum + kind.writes, 0)
const wrong = (verdict: string) => mismatches.filter(({ got }) => got === verdict).length
say(table(kinds))
say(`not made: ${lost.refused} refused by another webhook, ${lost.quota} by a quota, ${lost.left} whose client left`)
say(
  `${total} writes, seed ${seed}: ${wrong('deny')} wrong denials, ${wrong('admit')} wrong admits; reads of weight steps with current watches: ${stepReads}`
)
process.exitCode = mismatches.length > 0 || stepReads > 0 ? 1 : 0
