/** The page as text: what it shows of whom, how much of it, and what a browser may do with it. */
import t from 'tap'
import { createPage } from '../../src/page/page.ts'
import type { Shown, ShownWrite } from '../../src/page/shown.ts'
import type { Sandbox } from '../../src/sandbox/sandbox.ts'
import { manyHosts, objectsOf, shop, split } from './worlds.ts'

const REFUSED: ShownWrite = {
  atMs: Date.UTC(2026, 0, 2, 3, 4, 5),
  write: 'UPDATE VirtualService shop/reviews',
  user: 'alice',
  message: '50% of requests would get 503',
  refused: true
}

function pageOf(sandbox: Sandbox, more: Partial<Shown> = {}) {
  return createPage({
    what: 'a test',
    snapshot: () => sandbox.snapshot(),
    gaps: () => [],
    refusals: () => null,
    held: () => [],
    showNames: () => true,
    nowMs: () => 0,
    ...more
  })
}

const bodyOf = (page: ReturnType<typeof createPage>, url: string) => page(url)?.body ?? ''

t.test('hosts with their versions, shares and Ready Pods; those at a gateway too', async (t) => {
  const body = bodyOf(pageOf(shop()), '/look/')
  t.match(
    body,
    /<b>reviews<\/b>.*<b>v1<\/b> <span class="num">75%<\/span> <span class="dim">3 Ready<\/span>.*<b>v2<\/b> <span class="num">25%<\/span> <span class="dim">2 Ready/s
  )
  t.match(body, '<span class="num">10%</span> <span class="bad">no Ready Pod</span>')
  t.match(body, /<b>shop<\/b><span class="dim">\.example\.com<\/span> <span class="tag">gateway ingress/)
})

t.test('one host: its table, and what a request gets', async (t) => {
  const page = pageOf(shop())
  const query = new URLSearchParams({ host: 'reviews.shop.svc.cluster.local', ask: '1', path: '/', headers: 'end-user: jason' })
  const body = bodyOf(page, `/look/host?${query}`)
  t.match(body, '<code>header end-user exact jason</code>')
  t.match(body, '<p class="verdict good">200</p>')
  t.match(body, 'taken by VirtualService shop/reviews spec.http[0].match[0]')
  query.set('headers', 'no header')
  t.match(bodyOf(page, `/look/host?${query}`), 'A header is written name: value')
  t.equal(page('/look/host?host=nowhere')?.status, 404)
})

t.test('a browser that has it is told so, until it changes', async (t) => {
  const sandbox = shop()
  let ms = 0
  const page = pageOf(sandbox, { nowMs: () => ms })
  const first = page('/look/')
  const etag = first?.headers['etag'] ?? ''
  t.match(page('/look/', etag), { status: 304, body: '' })
  for (const object of objectsOf(split(50))) sandbox.load(object)
  ms = 2000
  t.match(page('/look/', etag), { status: 200, body: '50%' })
})

t.test('nothing from elsewhere, nothing inline, in no frame', async (t) => {
  const page = pageOf(shop())
  for (const url of ['/look/', '/look/host?host=reviews.shop.svc.cluster.local', '/look/style.css', '/look/script.js', '/look/none']) {
    const { headers = {}, body = '' } = page(url) ?? {}
    t.match(headers['content-security-policy'], "default-src 'none'")
    t.match(headers['content-security-policy'], "frame-ancestors 'none'")
    t.notMatch(headers['content-security-policy'], 'unsafe')
    t.equal(headers['x-content-type-options'], 'nosniff')
    t.notMatch(body, /<style|\sstyle="|\son\w+="|https?:\/\/(?!www\.w3\.org)/, url)
  }
  t.equal(page('/metrics'), null)
  t.match(page('/look'), { status: 308, headers: { location: 'look/' } })
})

t.test('names that strangers wrote are text', async (t) => {
  const body = bodyOf(
    pageOf(shop(), { refusals: () => [{ ...REFUSED, user: '<script>alert(1)</script>\u202e', message: '"><img src=x>' }] }),
    '/look/?q=%22%3E%3Cb%3E'
  )
  t.notMatch(body, '<script>alert')
  t.notMatch(body, '<img')
  t.notMatch(body, '\u202e')
  t.match(body, 'value="&#34;&#62;&#60;b&#62;"')
})

t.test('where policy hides names, hosts are shown, and no object, user or message', async (t) => {
  const more = {
    showNames: () => false,
    refusals: () => [REFUSED],
    gaps: () => [
      { rule: 'undefined-subset', host: 'ratings.shop.svc.cluster.local', object: 'VirtualService shop/secret', text: 'by shop/secret' }
    ]
  }
  const page = pageOf(shop(), more)
  const bodies = [bodyOf(page, '/look/'), bodyOf(page, '/look/host?host=reviews.shop.svc.cluster.local&ask=1')]
  for (const body of bodies) for (const name of ['secret', 'alice', 'VirtualService shop/', 'would get 503']) t.notMatch(body, name)
  t.match(bodies[0], 'ratings.shop.svc.cluster.local')
  t.match(bodies[0], 'UPDATE VirtualService')
  t.match(bodies[1], '<p class="verdict good">200</p>')
})

t.test('of ten thousand hosts a page has fifty, and search finds the others', async (t) => {
  const page = pageOf(manyHosts(10_000))
  const body = bodyOf(page, '/look/')
  t.equal(body.match(/<li class="row/g)?.length, 50)
  t.match(body, '1 of 200, 10,000 hosts')
  t.ok(body.length < 100_000, `${body.length} characters`)
  t.match(bodyOf(page, '/look/?page=200'), 's9999')
  t.match(bodyOf(page, '/look/?page=-7'), '1 of 200')
  const found = bodyOf(page, '/look/?q=S4711+many')
  t.equal(found.match(/<li class="row/g)?.length, 1)
  t.match(found, '<b>s4711</b>')
  t.match(bodyOf(page, '/look/?q=nothing'), 'No host matches.')
  t.match(bodyOf(page, '/look/?only=gaps'), 'No host matches.')
})
