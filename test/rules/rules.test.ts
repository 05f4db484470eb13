/** Every rule finds what its examples say, and nothing in what looks dangerous and is safe. */
import t from 'tap'
import { affectedTargets } from '../../src/mesh/gaps/affected.ts'
import { type Gap, gapsOfChange } from '../../src/mesh/gaps/gaps.ts'
import type { World } from '../../src/mesh/snapshot/snapshot.ts'
import type { Change } from '../../src/review/change.ts'
import { decide } from '../../src/review/decide.ts'
import { snapshotsOf } from '../../src/review/judgement.ts'
import { DEFAULT_POLICY } from '../../src/review/policy.ts'
import { RULES } from '../../src/rules/index.ts'
import { apply, remove, worldOf } from '../changes.ts'
import { guide } from '../manifests.ts'
import type { Example, RuleExamples } from './examples.ts'

const POLICY = { ...DEFAULT_POLICY, showForeignNames: true }

function changeOf({ given = guide(), ...write }: Example): { world: World; change: Change } {
  const world = worldOf(given)
  if (write.apply !== undefined) return { world, change: apply(world, write.apply) }
  if (write.delete !== undefined) return { world, change: remove(world, write.delete) }
  throw new Error(`example "${write.name}" writes nothing`)
}

function decisionOn(example: Example) {
  const { world, change } = changeOf(example)
  return decide(change, world, POLICY, 0)
}

/** Gaps that a write opens and that no finding speaks of: such a write would be admitted without a word. */
function unnamed(example: Example): string[] {
  const { world, change } = changeOf(example)
  const { before, after } = snapshotsOf(change, world)
  const objects = [change.before, change.after].filter((object) => object !== null)
  const { opened } = gapsOfChange(before, after, affectedTargets(before, after, objects))
  const named = new Set(decide(change, world, POLICY, 0).findings.flatMap(({ gap }) => (gap === null ? [] : [nameOf(gap)])))
  return opened.map(nameOf).filter((name) => !named.has(name))
}

function nameOf({ source, path, cause }: Gap): string {
  return JSON.stringify([source, path, cause])
}

for (const { id } of RULES) {
  const name = id.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
  const module = (await import(`./${id}.ts`)) as Record<string, RuleExamples>
  const examples = module[name]
  t.test(id, async (t) => {
    if (examples === undefined) throw new Error('has no examples')
    t.equal(examples.rule, id)
    t.ok(examples.finds.length > 0 && examples.safe.length > 0, 'has examples of both sorts')
    for (const example of examples.finds) {
      const { findings, verdict } = decisionOn(example)
      const found = findings.find(({ rule }) => rule === id)
      t.match(found, { severity: example.severity ?? 'deny' }, example.name)
      if (example.says !== undefined) t.match(`${found?.message}. ${found?.remedy}`, example.says, example.name)
      if (example.severity === 'deny') t.equal(verdict, 'deny', example.name)
    }
    for (const example of [...examples.finds, ...examples.safe]) t.same(unnamed(example), [], `every gap is named: ${example.name}`)
    for (const example of examples.safe) {
      const found = decisionOn(example).findings.find(({ rule }) => rule === id)
      t.equal(found?.message, undefined, `safe: ${example.name}`)
    }
  })
}
