import t from 'tap'
import { asExpected, caseFiles, playFile, reachedSoFar } from './cases.ts'

// Too long for the group `fast`.
t.setTimeout(300_000)

const reached = reachedSoFar()

for (const file of caseFiles()) {
  t.test(file, async (t) => {
    const count = asExpected(await playFile(file))
    t.ok(count >= (reached[file] ?? 0), `${count} writes as expected, ${reached[file] ?? 0} or more were`)
  })
}
