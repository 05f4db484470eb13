/** The page in a real Chromium. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { createPage } from '../../src/page/page.ts'
import { hitless, WORLD } from '../cli/commands.ts'
import { startChromium } from '../rig/chromium.ts'
import { objectsOf, shop, split } from './worlds.ts'

// Chromium is downloaded once.
t.setTimeout(20 * 60_000)

const DESK = { width: 1280, height: 820 }
const HOST = 'reviews.shop.svc.cluster.local'

const sandbox = shop()
const page = createPage({
  what: 'a test',
  snapshot: () => sandbox.snapshot(),
  gaps: () => [{ rule: 'unready-destination', host: 'ratings.shop.svc.cluster.local', object: null, text: '10% get 503' }],
  refusals: () => [],
  held: () => [],
  showNames: () => true,
  nowMs: Date.now
})
const server = createServer((request, response) => {
  const { status, headers, body } = page(request.url ?? '', request.headers['if-none-match']) ?? { status: 404, headers: {}, body: '' }
  response.writeHead(status, headers).end(body)
})
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/look/`
const chromium = await startChromium()
t.teardown(async () => {
  await chromium.close()
  server.close()
  server.closeAllConnections()
})

const FIRST_SHARE = `document.querySelector('.row a[href*="${HOST}"]').closest('.row').querySelector('.legend .num').textContent`

t.test('bars follow a change, and what has the focus keeps it', async (t) => {
  const tab = await chromium.tab(DESK)
  await tab.open(url)
  await tab.until(`document.getElementById('live').textContent === 'Live'`)
  t.equal(await tab.read(FIRST_SHARE), '75%')
  await tab.press('/')
  t.equal(await tab.read('document.activeElement.name'), 'q', '/ goes to the search')
  await tab.press('r')
  for (const object of objectsOf(split(40))) sandbox.load(object)
  await tab.until(`${FIRST_SHARE} === '40%'`)
  t.same(await tab.read('[document.activeElement.name, document.activeElement.value]'), ['q', 'r'])
  t.strictSame(tab.complaints, [], 'nothing is refused by the policy of the page, and nothing fails')
})

t.test('a click on a host shows its table, and asks for a request', async (t) => {
  const tab = await chromium.tab(DESK)
  await tab.open(url)
  await tab.click(`.row a[href*="${HOST}"]`)
  t.equal(await tab.read('document.querySelector("h1").textContent'), HOST)
  await tab.read(`document.querySelector('textarea').value = 'end-user: jason'`)
  await tab.click('.ask button')
  t.equal(await tab.read('document.querySelector(".verdict").textContent'), '200')
  t.match(await tab.read('document.querySelector(".way").textContent'), 'spec.http[0].match[0]')
  t.equal(await tab.read('document.querySelector("textarea").value'), 'end-user: jason', 'what was asked stays')
  t.strictSame(tab.complaints, [])
})

t.test('without scripts it is read, searched and asked the same', async (t) => {
  const tab = await chromium.tab({ ...DESK, scripts: false })
  await tab.open(`${url}?q=reviews`)
  t.equal(await tab.read('document.querySelectorAll(".row").length'), 1)
  t.equal(await tab.read('document.getElementById("live").textContent'), '', 'no script ran')
  await tab.click('.row a')
  await tab.click('.ask button')
  t.equal(await tab.read('document.querySelector(".verdict").textContent'), '200')
})

t.test('dark is dark, and on a phone nothing is wider than the phone', async (t) => {
  const ground = 'getComputedStyle(document.body).backgroundColor'
  const colours: string[] = []
  for (const scheme of ['light', 'dark'] as const) {
    const tab = await chromium.tab({ width: 360, height: 740, phone: true, scheme })
    for (const path of ['', `host?host=${HOST}&ask=1`]) {
      await tab.open(`${url}${path}`)
      t.ok(await tab.read<boolean>('document.documentElement.scrollWidth <= innerWidth'), `${scheme} ${path}`)
    }
    colours.push(await tab.read(ground))
  }
  t.not(colours[0], colours[1])
})

t.test('every link and field is reached by the keyboard, and has a name', async (t) => {
  const tab = await chromium.tab(DESK)
  await tab.open(`${url}host?host=${HOST}`)
  const nameless = `[...document.querySelectorAll('a, button, input:not([type=hidden]), select, textarea')]
    .filter((each) => each.tabIndex < 0 || !(each.textContent.trim() || each.ariaLabel || each.labels?.length)).map((each) => each.outerHTML)`
  t.same(await tab.read(nameless), [])
})

t.test('hitless look serves it to this machine alone', async (t) => {
  const stop = new AbortController()
  let said: (text: string) => void = () => undefined
  const started = new Promise<string>((resolve) => {
    said = resolve
  })
  const ended = hitless(['look', WORLD], { signal: stop.signal, onOut: said })
  const [own = ''] = /http:\S+/.exec(await started) ?? []
  const tab = await chromium.tab(DESK)
  await tab.open(own)
  t.equal(await tab.read('document.querySelector(".answer").textContent'), 'No gap is open')
  t.match(await tab.read('document.querySelector(".row").textContent'), /helloworld.*v1 100% 2 Ready/s)
  stop.abort()
  t.equal((await ended).exit, 0)
})
