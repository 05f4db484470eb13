/** The workflows do what anybody can do by hand, with no more rights than they need. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { load } from 'js-yaml'
import t from 'tap'

const ROOT = join(import.meta.dirname, '../..')
const FOLDER = join(ROOT, '.github/workflows')

interface Workflow {
  readonly permissions: Readonly<Record<string, string>>
  readonly jobs: Readonly<Record<string, Job>>
}

interface Job {
  readonly permissions?: Readonly<Record<string, string>>
  readonly 'timeout-minutes': number
  readonly steps: readonly { readonly uses?: string; readonly run?: string; readonly with?: Readonly<Record<string, unknown>> }[]
}

const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: object }

for (const file of readdirSync(FOLDER)) {
  const text = readFileSync(join(FOLDER, file), 'utf8')
  const { permissions, jobs } = load(text) as Workflow
  const steps = Object.values(jobs).flatMap((job) => job.steps)

  t.test(`${file}: what it runs is there`, async (t) => {
    for (const run of steps.flatMap((step) => step.run ?? [])) {
      for (const [, script = ''] of run.matchAll(/npm run (?:-s )?(\S+)/g)) t.ok(script in scripts, script)
      for (const [path] of run.matchAll(/(?:\.ci|charts|examples)\/[\w./-]+/g)) t.ok(existsSync(join(ROOT, path)), path)
    }
    t.ok(
      steps.some(({ run }) => run === '.ci/run'),
      'all the tests'
    )
  })

  t.test(`${file}: it has the rights that it needs, and keeps no credentials where code from elsewhere runs`, async (t) => {
    t.notMatch(Object.values(permissions), ['write'])
    for (const [name, job] of Object.entries(jobs)) {
      t.ok(job['timeout-minutes'] > 0, name)
      if (name !== 'release') t.notOk(Object.values(job.permissions ?? {}).includes('write'), name)
    }
    for (const step of steps) {
      if (step.uses === undefined) continue
      t.match(step.uses, /^[\w.-]+\/[\w.-]+@[0-9a-f]{40}$/, 'a commit: tags and branches are moved')
      if (step.uses.startsWith('actions/checkout@')) t.equal(step.with?.['persist-credentials'], false)
    }
    for (const [line] of text.matchAll(/^.*\buses:.*$/gm)) t.match(line, / # v\d+\.\d+\.\d+$/, 'for a reader, and for whoever renews it')
    // A name that a stranger chooses, such as that of a branch, would be run as a script.
    for (const run of steps.flatMap((step) => step.run ?? [])) t.notMatch(run, /\$\{\{/)
  })
}

t.test('what is pinned is renewed by proposals, everywhere where something is', async (t) => {
  const { updates } = load(readFileSync(join(ROOT, '.github/dependabot.yml'), 'utf8')) as {
    updates: readonly { 'package-ecosystem': string; directory?: string; directories?: readonly string[] }[]
  }
  const renewed = updates.flatMap(({ 'package-ecosystem': of, directory, directories = [directory ?? ''] }) =>
    directories.map((each) => `${of} ${each}`)
  )
  const tools = (pinnedBy: string) =>
    readdirSync(join(ROOT, 'test/tools')).filter((name) => existsSync(join(ROOT, 'test/tools', name, pinnedBy)))
  const expected = [
    'docker /',
    'github-actions /',
    'github-actions /.github/actions/check',
    'npm /',
    'npm /.ci/node',
    ...tools('requirements.txt').map((name) => `pip /test/tools/${name}`),
    ...tools('go.mod').map((name) => `gomod /test/tools/${name}`)
  ]
  t.strictSame(renewed.sort(), expected.sort())
})

t.test('base images are named by digest', async (t) => {
  const stages = [...readFileSync(join(ROOT, 'Dockerfile'), 'utf8').matchAll(/^FROM (\S+)/gm)].map(([, image = '']) => image)
  t.equal(stages.length, 2)
  for (const image of stages) t.match(image, /^[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}$/)
})
