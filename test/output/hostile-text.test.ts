/** Text that strangers wrote, through every command in every form: it stays data on one line, for terminals and for CI systems. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { json } from '../../src/output/json.ts'
import { line } from '../../src/output/text.ts'
import { yaml } from '../../src/output/yaml.ts'
import { hitless, type Outcome, WORLD } from '../cli/commands.ts'
import { destinationRule, guide, rule, virtualService } from '../manifests.ts'

const MARKS = 'x\n::error file=forged::1\r\n##[error]2\u001b[8m\u009b2J\u202e\u2028::warning::3 ##vso[task.complete]\u{e0001}\u200b'

/** What a terminal obeys or a reader cannot see, and what a CI system takes for a command. */
function obeyed({ out, err }: Outcome, ours: RegExp): string[] {
  const text = out + err
  const marks = text.match(/[^\P{Cc}\n]|[\p{Cf}\p{Zl}\p{Zp}]/gu) ?? []
  const commands = text.split('\n').filter((each) => (each.trimStart().startsWith('::') && !ours.test(each)) || /##[\w-]*\[/.test(each))
  return [...marks, ...commands]
}

/** A world in which findings name what a stranger chose: a subset, a host, a header, an object, a file, a template. */
function hostile(folder: string) {
  const file = join(folder, `::error file=x::y${'\u001b[8m'}.yaml`)
  const manifests = [
    ...guide().filter(({ kind }) => kind !== 'VirtualService'),
    virtualService([rule([{ destination: { host: 'helloworld', subset: MARKS } }], [{ headers: { 'x-user': { exact: MARKS } } }])]),
    virtualService([rule([{ destination: { host: MARKS } }])], {}, { name: MARKS }),
    destinationRule(['v1', 'v2'], { name: MARKS })
  ]
  writeFileSync(file, manifests.map((each) => JSON.stringify(each)).join('\n---\n# Source: ::error::forged\n'))
  writeFileSync(join(folder, 'bad.yaml'), `apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [${JSON.stringify(MARKS)}]}\n`)
  const scenario = { name: MARKS, state: manifests.slice(0, -1), writes: [{ apply: manifests.at(-1), expect: 'deny' }] }
  mkdirSync(join(folder, 'play'))
  writeFileSync(join(folder, 'play', 'scenario.yaml'), JSON.stringify(scenario))
  mkdirSync(join(folder, 'good'))
  writeFileSync(join(folder, 'good', 'all.yaml'), manifests.map((each) => JSON.stringify(each)).join('\n---\n'))
  return { folder, good: join(folder, 'good'), scenario: join(folder, 'play', 'scenario.yaml') }
}

const OURS = /^::(?:error|warning) (?:file=[^:]*,line=\d+,col=\d+,)?title=[a-z-]+%3A [^:]*::[^:]/

t.test('no form of any command lets strangers write a line, or command a terminal or a CI system', async (t) => {
  const { folder, good, scenario } = hostile(t.testdir())
  const forms: readonly { args: readonly string[]; formats: readonly string[] }[] = [
    { args: ['check', folder], formats: ['markdown', 'text', 'json', 'yaml', 'sarif', 'junit', 'github'] },
    { args: ['check', '--base', WORLD, folder], formats: ['markdown', 'text', 'json', 'yaml', 'sarif', 'junit', 'github'] },
    { args: ['audit', folder], formats: ['text', 'json', 'yaml', 'sarif', 'junit', 'github'] },
    { args: ['routes', folder], formats: ['text', 'json', 'yaml'] },
    { args: ['plan', '--from', good, '--to', WORLD], formats: ['text', 'json', 'yaml'] },
    { args: ['plan', '--from', WORLD, '--to', good], formats: ['text', 'json', 'yaml'] },
    { args: ['replay', scenario], formats: ['text', 'json', 'yaml'] }
  ]
  for (const { args, formats } of forms) {
    for (const format of formats) {
      const outcome = await hitless([...args, '-o', format])
      t.same(obeyed(outcome, format === 'github' ? OURS : /^$/), [], `${args[0]} -o ${format}`)
      t.match(outcome.out + outcome.err, /\S/, `${args[0]} -o ${format} says something`)
    }
  }
})

t.test('no argument does either', async (t) => {
  for (const args of [
    ['check', `--${MARKS}`],
    ['check', MARKS],
    [MARKS],
    ['explain', MARKS],
    ['check', '-o', MARKS, 'x'],
    ['routes', '--client', MARKS, WORLD],
    ['check', WORLD, '--base-git', `x${MARKS}`],
    ['replay', MARKS]
  ]) {
    const outcome = await hitless(args)
    t.same(obeyed(outcome, /^$/), [], JSON.stringify(args))
    t.equal(outcome.exit, 2)
  }
})

t.test('data stays as it is', async (t) => {
  const value = { [MARKS]: MARKS, list: ['::error::x', '##[error]x'] }
  t.same(JSON.parse(json(value)), value)
  t.same(JSON.parse(yaml(value)), value, 'the form of YAML that escapes')
  t.equal(yaml({ a: 'x' }), 'a: x\n')
})

t.test('colours are ours alone, and a part that is too long leaves the others', async (t) => {
  t.equal(line([{ text: 'deny\u001b[0m', style: 'red' }, ' x'], true), '\u001b[31mdeny [0m\u001b[39m x\n')
  t.match(line(['a'.repeat(1 << 20), ' [CODE]'], false), /^a{2048}… \[CODE\]\n$/)
})
