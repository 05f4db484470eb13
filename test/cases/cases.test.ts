import { globSync } from 'node:fs'
import t from 'tap'
import { caseFiles, FILES, playFile, REPORTS, runFile, texts, textsSoFar } from './cases.ts'

// Too long for the group `fast`.
t.setTimeout(900_000)

for (const file of caseFiles()) {
  t.test(file, async (t) => {
    const cases = await playFile(file)
    t.ok(cases.length > 0)
    for (const { name, steps, errors } of cases) {
      t.strictSame(
        errors.map(({ message }) => message),
        [],
        `${name}: all of it can be played`
      )
      t.strictSame(
        steps.flatMap(({ failure, line }) => (failure === null ? [] : [`${file}:${line}: ${failure}`])),
        [],
        name
      )
    }
  })
}

for (const each of FILES) {
  t.test(each.args.join(' '), async (t) => {
    const { exit, text } = await runFile(each)
    t.equal(exit, each.exit, text)
    t.match(text, each.says)
  })
}

t.test('no file of the reports is without a case', async (t) => {
  const named = new Set(FILES.flatMap(({ args }) => args))
  const files = globSync('files/**/*.yaml', { cwd: REPORTS }).filter((file) => !file.endsWith('.scenario.yaml'))
  t.strictSame(
    files.filter((file) => !named.has(file)),
    []
  )
})

t.test('each is told in the words that were read: npm run -s cases -- --write', async (t) => {
  t.equal(await texts(), textsSoFar())
})
