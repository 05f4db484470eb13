import t from 'tap'
import { type Condition, EVERY_REQUEST } from '../../../src/kinds/http-rule.ts'
import { firstUnmet, formatTarget, type HttpRequest } from '../../../src/mesh/requests/request.ts'
import { Meter, metered, TooMuchWork } from '../../../src/mesh/snapshot/metered.ts'
import { World } from '../../../src/mesh/snapshot/snapshot.ts'

interface RequestFields {
  readonly path?: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, string>>
  readonly sni?: string
}

function request({ path = '/', method = 'GET', headers = {}, query = {}, sni }: RequestFields): HttpRequest {
  return { kind: 'http', path, method, headers: new Map(Object.entries(headers)), query: new Map(Object.entries(query)), sni: sni ?? null }
}

function meets(condition: Partial<Condition>, fields: RequestFields, authority = 'reviews'): boolean {
  return firstUnmet(new World(), { ...EVERY_REQUEST, ...condition }, request(fields), authority) === null
}

const exact = (value: string) => ({ type: 'exact', value }) as const
const prefix = (value: string) => ({ type: 'prefix', value }) as const
const regex = (value: string) => ({ type: 'regex', value }) as const
const present = { type: 'present' } as const

t.test('paths: exact, by prefix, and by an expression for the whole of it', async (t) => {
  t.ok(meets({ uri: exact('/a') }, { path: '/a' }))
  t.notOk(meets({ uri: exact('/a') }, { path: '/a/' }))
  t.ok(meets({ uri: prefix('/a') }, { path: '/ab' }))
  t.ok(meets({ uri: regex('/a.') }, { path: '/ab' }))
  t.notOk(meets({ uri: regex('/a') }, { path: '/ab' }))
})

t.test('case is ignored of exact paths and prefixes, never of expressions', async (t) => {
  t.ok(meets({ uri: exact('/A'), ignoreUriCase: true }, { path: '/a' }))
  t.ok(meets({ uri: prefix('/api'), ignoreUriCase: true }, { path: '/API/v1' }))
  t.notOk(meets({ uri: regex('/A'), ignoreUriCase: true }, { path: '/a' }))
})

t.test('an absent header meets nothing, and is what withoutHeaders asks for', async (t) => {
  const jason = { headers: { 'end-user': 'jason' } }
  t.ok(meets({ headers: { 'End-User': exact('jason') } }, jason), 'names know no case')
  t.ok(meets({ headers: { 'end-user': present } }, jason))
  t.notOk(meets({ headers: { 'end-user': present } }, {}))
  t.notOk(meets({ headers: { 'end-user': regex('.*') } }, {}), 'an expression needs the header')
  t.notOk(meets({ withoutHeaders: { 'end-user': present } }, jason))
  t.ok(meets({ withoutHeaders: { 'end-user': exact('jason') } }, { headers: { 'end-user': 'ann' } }))
  t.ok(meets({ withoutHeaders: { 'end-user': exact('jason') } }, {}))
  t.notOk(meets({ withoutHeaders: { 'end-user': regex('j?') } }, {}), 'a missing header is taken for an empty one')
  t.ok(meets({ headers: { x: regex('*') } }, { headers: { x: '1' } }), 'for Istio * means that it is there')
})

t.test('query parameters, method, scheme and authority', async (t) => {
  t.ok(meets({ queryParams: { v: exact('2') } }, { query: { v: '2' } }))
  t.notOk(meets({ queryParams: { V: exact('2') } }, { query: { v: '2' } }), 'names of parameters know case')
  t.notOk(meets({ queryParams: { v: present } }, {}))
  t.ok(meets({ method: exact('POST') }, { method: 'POST' }))
  t.ok(meets({ scheme: exact('https') }, { sni: 'reviews' }))
  t.ok(meets({ authority: exact('reviews:8080') }, {}, 'reviews:8080'))
  t.ok(meets({ headers: { ':authority': prefix('rev') } }, {}))
})

t.test('what is not met is told with what was found', async (t) => {
  const unmet = firstUnmet(new World(), { ...EVERY_REQUEST, uri: prefix('/a'), method: exact('GET') }, request({ path: '/b' }), 'h')
  t.same(unmet, { field: 'uri', name: '', match: prefix('/a'), found: '/b' })
})

t.test('names of headers that JavaScript knows are names like others', async (t) => {
  t.notOk(meets({ headers: { constructor: present } }, {}))
  t.ok(meets({ withoutHeaders: { constructor: present } }, {}))
})

t.test('expressions are charged to whoever asks', async (t) => {
  const poor = metered(new World(), new Meter(40))
  t.throws(() => firstUnmet(poor, { ...EVERY_REQUEST, uri: regex('/a') }, request({}), 'h'), TooMuchWork)
})

t.test('a target shows the query', async (t) => {
  t.equal(formatTarget(request({ path: '/a', query: { 'v w': '1&2' } })), '/a?v%20w=1%262')
  t.equal(formatTarget(request({ path: '/a' })), '/a')
})
