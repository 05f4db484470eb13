import { execFile } from 'node:child_process'
import t from 'tap'
import { hitless } from './commands.ts'

const CARELESS = ['undefined-subset', 'subset-in-use', 'workload-in-use', 'version-in-selector']

t.test('the demo refuses the careless order and admits the order of the guide', async (t) => {
  const { exit, out, err } = await hitless(['demo', '--once', '--port', '0'])
  t.equal(exit, 0)
  t.equal(err, '')
  const [, careless = '', ordered = ''] = out.split(/^The release in .*$/m)
  t.same(
    [...careless.matchAll(/ {2}refused {3}.*\n {12}hitless: .* \[([a-z-]+)\]\n/g)].map(([, rule]) => rule),
    CARELESS
  )
  t.notMatch(careless, 'admitted')
  t.equal(ordered.match(/ {2}admitted {2}/g)?.length, 15)
  t.notMatch(ordered, 'refused')
})

t.test('the demo stays up, and its curl line works as printed', async (t) => {
  const stop = new AbortController()
  const line = Promise.withResolvers<string>()
  const ended = hitless(['demo', '--port', '0'], {
    signal: stop.signal,
    onOut: (text) => {
      const [printed] = /curl .*/.exec(text) ?? []
      if (printed !== undefined) line.resolve(printed)
    }
  })
  const printed = await line.promise
  const answer = await new Promise<string>((resolve, reject) => {
    execFile('sh', ['-c', `${printed.replace('curl', 'curl -sS')}`], (error, out) => (error === null ? resolve(out) : reject(error)))
  })
  t.match(JSON.parse(answer), { kind: 'AdmissionReview', response: { uid: 'yours', allowed: false, status: { code: 403 } } })
  stop.abort()
  t.equal((await ended).exit, 0)
})
