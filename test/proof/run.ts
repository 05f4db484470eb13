/** The proof on a real mesh: `npm run proof`. */
import { faultsOf } from './account.ts'
import { prove } from './proof.ts'

const accounts = await prove(process.argv.slice(2))
const faults = accounts.flatMap(faultsOf)
for (const fault of faults) process.stdout.write(`not ok ${fault}\n`)
process.exitCode = faults.length > 0 ? 1 : 0
