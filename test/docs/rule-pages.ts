/** The pages of docs/rules, made from the rules and from the first of their tested examples. `npm run docs` writes them. */
import { dump } from 'js-yaml'
import { writtenKind } from '../../src/kinds/index.ts'
import { decide } from '../../src/review/decide.ts'
import { DEFAULT_POLICY } from '../../src/review/policy.ts'
import { RULES } from '../../src/rules/index.ts'
import type { Rule } from '../../src/rules/rule.ts'
import { apply, remove, worldOf } from '../changes.ts'
import { guide } from '../manifests.ts'
import type { Example, RuleExamples } from '../rules/examples.ts'

/** Every page by its path from the root of the repository. */
export async function rulePages(): Promise<Map<string, string>> {
  const pages = new Map([['docs/rules/README.md', index()]])
  for (const rule of RULES) pages.set(`docs/rules/${rule.id}.md`, page(rule, await examplesOf(rule)))
  return pages
}

export async function examplesOf({ id }: Rule): Promise<RuleExamples> {
  const module = (await import(`../rules/${id}.ts`)) as Record<string, RuleExamples>
  const examples = module[id.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())]
  if (examples === undefined) throw new Error(`rule ${id} has no examples`)
  return examples
}

function index(): string {
  const rows = RULES.map(({ id, summary }) => `| [${id}](${id}.md) | ${summary} |\n`).join('')
  return `# Rules\n\nMade from the rules by \`npm run docs\`. \`hitless explain RULE\` prints a page. What none of them knows, and what others find: [coverage](../coverage.md).\n\n| rule | finds |\n| --- | --- |\n${rows}`
}

function page({ id, summary, description, remedy, on }: Rule, { finds, safe }: RuleExamples): string {
  const [example] = finds
  if (example === undefined) throw new Error(`rule ${id} has no example`)
  return [
    `# ${id}`,
    `${upper(summary)}.`,
    description,
    `**What to do.** ${remedy}`,
    `Judged on writes of ${on.map(writtenKind).join(', ')}.`,
    '## Example',
    `In the world of [the guide's release](../../examples/helloworld), ${example.name}:`,
    `\`\`\`yaml\n${written(example)}\`\`\``,
    `\`\`\`text\n${answer(example)}\n\`\`\``,
    '## Not reported',
    safe.map(({ name }) => `- ${name}`).join('\n')
  ]
    .join('\n\n')
    .concat('\n')
}

function written(example: Example): string {
  if (example.apply !== undefined) return dump(example.apply, { lineWidth: 100 })
  const { delete: deleted } = example
  return deleted === undefined ? '' : `# kubectl delete ${deleted.kind.toLowerCase()} ${String(deleted.metadata['name'])}\n`
}

function answer({ given = guide(), ...example }: Example): string {
  const world = worldOf(given)
  const change =
    example.apply !== undefined ? apply(world, example.apply) : example.delete !== undefined ? remove(world, example.delete) : null
  if (change === null) throw new Error('an example without a write')
  const { message, warnings } = decide(change, world, DEFAULT_POLICY, 0)
  return message === '' ? warnings.map((warning) => `Warning: ${warning}`).join('\n') : message
}

function upper(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
