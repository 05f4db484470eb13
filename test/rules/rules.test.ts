/** Every rule finds what its examples say, and nothing in what looks dangerous and is safe. */
import t from 'tap'
import { decide } from '../../src/review/decide.ts'
import { DEFAULT_POLICY } from '../../src/review/policy.ts'
import { RULES } from '../../src/rules/index.ts'
import { apply, remove, worldOf } from '../changes.ts'
import { guide } from '../manifests.ts'
import type { Example, RuleExamples } from './examples.ts'

const POLICY = { ...DEFAULT_POLICY, showForeignNames: true }

function decisionOn({ given = guide(), ...write }: Example) {
  const world = worldOf(given)
  if (write.apply !== undefined) return decide(apply(world, write.apply), world, POLICY, 0)
  if (write.delete !== undefined) return decide(remove(world, write.delete), world, POLICY, 0)
  throw new Error(`example "${write.name}" writes nothing`)
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
    for (const example of examples.safe) {
      const found = decisionOn(example).findings.find(({ rule }) => rule === id)
      t.equal(found?.message, undefined, `safe: ${example.name}`)
    }
  })
}
