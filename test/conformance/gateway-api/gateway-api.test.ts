import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { differences } from '../compare.ts'
import { ourLine, readLines } from '../worlds.ts'

const worlds = join(import.meta.dirname, 'worlds')

for (const set of ['named', 'random']) {
  t.test(`hitless makes of every ${set} world of the Gateway API what Istio makes of it`, async (t) => {
    for (const line of readLines(join(worlds, `${set}.jsonl`))) {
      const ours = ourLine(join(worlds, set), line)
      t.equal(differences(ours, line).join('\n'), '', title(set, line.case))
      t.equal(ours.rejected.length, line.rejected.length, `${line.case} refused: ${ours.rejected.map(({ object }) => object)}`)
    }
  })
}

/** A named world says in its first line which trap it is. */
function title(set: string, name: string): string {
  const [first = ''] = readFileSync(join(worlds, set, `${name}.yaml`), 'utf8').split('\n')
  return first.startsWith('#') ? `${name}: ${first.replace(/^# ?/, '')}` : name
}
