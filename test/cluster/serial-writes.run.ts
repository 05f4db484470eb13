/** The long form: `npm run serial-writes -- [writes] [seed]`. */
import { serialWrites, table, WEIGHT_STEP } from './serial-writes.ts'

const [writes = '10000', seed = '1'] = process.argv.slice(2)
const say = (line: string) => void process.stdout.write(`${line}\n`)
const { kinds, mismatches } = await serialWrites({ writes: Number(writes), seed: Number(seed), say })
const total = [...kinds.values()].reduce((sum, kind) => sum + kind.writes, 0)
const wrong = (verdict: string) => mismatches.filter(({ got }) => got === verdict).length
const { gets, lists } = kinds.get(WEIGHT_STEP) ?? { gets: 0, lists: 0 }
say(table(kinds))
say(`${total} writes, seed ${seed}: ${wrong('deny')} wrong denials, ${wrong('admit')} wrong admits; reads of weight steps: ${gets + lists}`)
process.exitCode = mismatches.length > 0 || gets + lists > 0 ? 1 : 0
