import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { filesOf, GROUPS, groupOf, measures, needsOf, timeoutMs } from './groups.ts'

process.chdir(join(import.meta.dirname, '..'))

t.test('a test file is in the group of what it imports, at whatever distance, and of the time that it asks for', async (t) => {
  t.equal(groupOf('test/errors.test.ts'), 'fast')
  t.equal(groupOf('test/manifests/git.test.ts'), 'local', 'it starts git')
  t.equal(groupOf('test/admission/probe.test.ts'), 'local', 'a file that it imports opens sockets')
  t.equal(groupOf('test/fuzz/fuzz.test.ts'), 'long')
  t.equal(groupOf('test/cluster/guide.test.ts'), 'cluster')
  t.equal(groupOf('test/chart/chart.test.ts'), 'chart')
  t.equal(groupOf('test/proof/proof.test.ts'), 'mesh')
})

t.test('what it needs is what it takes, no more', async (t) => {
  t.strictSame([...needsOf('test/chart/chart.test.ts')], ['installHelm'])
  t.strictSame([...needsOf('test/cluster/guide.test.ts')], ['installBinaries'])
  t.strictSame([...needsOf('test/proof/proof.test.ts')].sort(), ['installBinaries', 'installMesh'])
})

t.test('a file has the time that it asks for, or what every file has', async (t) => {
  t.equal(timeoutMs('test/proof/proof.test.ts'), 15 * 60_000)
  t.equal(timeoutMs('test/errors.test.ts'), 240_000)
})

t.test('a long file that takes the time or the memory of its own process says so', async (t) => {
  for (const file of filesOf(['long'])) {
    const takes = /\b(?:cpuUsage|resourceUsage|memoryUsage|peakMb)\b/.test(readFileSync(file, 'utf8'))
    if (takes) t.ok(measures(file), file)
  }
  t.ok(measures('test/server/watchdog.test.ts'))
  t.notOk(measures('test/errors.test.ts'))
})

t.test('each group has files, and a script of its name', async (t) => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Readonly<Record<string, string>> }
  for (const group of GROUPS) {
    t.ok(filesOf([group]).length > 0, group)
    t.equal(scripts[`test:${group}`], `node test/run.ts ${group}`)
    t.equal(scripts[`pretest:${group}`], scripts['pretest'])
  }
})
