/** The picture shows what the runs were. */
import t from 'tap'
import type { Answer } from './load.ts'
import { picture } from './picture.ts'
import type { Run, Write } from './play.ts'
import { CARELESS } from './scripts.ts'

const write: Write = {
  step: 1,
  what: 'weight < 100',
  verdict: 'refused',
  message: 'no',
  sentMs: 90,
  answeredMs: 100,
  convergedMs: null,
  steadyUntilMs: null,
  predictions: null
}
const answer = (version: string, status = 200): Answer => ({
  loadClass: { name: 'plain', proxy: 'sidecar' },
  dueMs: 10,
  sentMs: 10,
  answeredMs: 12,
  status,
  version
})
const run = (answers: readonly Answer[], writes: readonly Write[] = [write]): Run => ({
  script: CARELESS,
  way: 'with',
  startedMs: 0,
  writes,
  answers
})

t.test('a bar for each version and for failures, as high as there were requests', async (t) => {
  const svg = picture(run([answer('v1'), answer('v2'), answer('', 503), answer('', 503)]), run([answer('v1')]))
  const heights = [...svg.matchAll(/height="([\d.]+)" fill="(#\w+)"/g)].slice(3).map(([, height, color]) => `${color} ${height}`)
  t.same(heights, ['#4c8fd6 37.5', '#57b894 37.5', '#e5484d 75', '#4c8fd6 37.5'])
  t.match(svg, 'Without hitless: 2 of 4 requests failed')
  t.match(svg, 'With hitless: 0 of 1 requests failed')
})

t.test('a refused write is marked as such, and written without breaking the document', async (t) => {
  const svg = picture(run([answer('v1')], [{ ...write, verdict: 'admitted' }]), run([answer('v1')]))
  t.equal([...svg.matchAll(/<line class="write refused"/g)].length, 1)
  t.match(svg, '1  weight &lt; 100')
})
