/** That the checks of the proof can fail. */
import t from 'tap'
import { type Account, type ClassAccount, compared, faultsOf, isAsPredicted, isAsSaid, type WriteAccount } from './account.ts'

const half = { share: 0.5, status: 503 }
const steady = (fields: Partial<ClassAccount> = {}): ClassAccount => ({
  name: 'plain',
  requests: 100,
  failed: 0,
  statuses: [],
  predicted: { share: 0, status: 200 },
  ...fields
})
const write = (fields: Partial<WriteAccount> = {}): WriteAccount => ({
  what: 'a write',
  verdict: 'admitted',
  message: '',
  requests: 100,
  failed: 0,
  converging: { failed: 0, lastMs: null },
  steady: [steady()],
  ...fields
})
const account = (fields: Partial<Account> = {}): Account => ({
  script: 'one',
  title: 'one',
  careless: false,
  way: 'with',
  requests: 100,
  failed: 0,
  failedBefore: 0,
  writes: [write()],
  ...fields
})

t.test('a share within four standard deviations is as predicted, and one beyond is not', async (t) => {
  const failing = (failed: number, status = 503) => isAsPredicted(steady({ failed, statuses: [status], predicted: half }))
  t.equal(failing(50), true)
  t.equal(failing(70), true)
  t.equal(failing(71), false)
  t.equal(failing(29), false)
  t.equal(failing(50, 404), false, 'another status')
})

t.test('where none or all should fail, one exception is one too many', async (t) => {
  t.equal(isAsPredicted(steady({ failed: 1, statuses: [503] })), false)
  t.equal(isAsPredicted(steady({ failed: 99, statuses: [404], predicted: { share: 1, status: 404 } })), false)
  t.equal(isAsPredicted(steady({ failed: 100, statuses: [404], predicted: { share: 1, status: 404 } })), true)
})

t.test('a write of which the model said nothing is not compared', async (t) => {
  t.same(compared(account({ writes: [write({ steady: [steady({ predicted: null, failed: 3 })] })] })), [])
})

t.test('a request that fails with hitless, when the proxies know the write, is a fault', async (t) => {
  const lost = write({ failed: 2, steady: [steady({ failed: 2, statuses: [503], predicted: null })] })
  t.match(faultsOf(account({ writes: [lost] })), [/2 requests failed after "a write"/])
  t.same(faultsOf(account()), [])
})

t.test('a careless release must be refused something with hitless, and fail requests without it', async (t) => {
  t.match(faultsOf(account({ careless: true })), [/nothing was refused/])
  t.match(faultsOf(account({ careless: true, way: 'without' })), [/no request failed/])
})

t.test('a right order must be refused nothing, and a release must come to its end', async (t) => {
  const refused = write({ verdict: 'refused', message: 'no' })
  t.match(faultsOf(account({ writes: [refused, write()] })), [/was refused: no/])
  t.match(faultsOf(account({ careless: true, writes: [write(), refused] })), [/did not come to its end/])
})

t.test('a refusal that names another share than was predicted is a fault', async (t) => {
  const said = (message: string) =>
    write({ verdict: 'refused', message, steady: [steady({ predicted: half }), steady({ predicted: { share: 1, status: 503 } })] })
  t.equal(isAsSaid(said('hitless: 50% of requests to reviews would get 503')), true)
  t.equal(isAsSaid(said('hitless: (1) 30% of requests to reviews would get 503 (2) 70% of requests to reviews would get 503')), true)
  t.equal(isAsSaid(said('hitless: 49% of requests to reviews would get 503')), false)
  t.match(faultsOf(account({ careless: true, writes: [said('49% of requests'), write()] })), [/other shares than predicted/])
})
