/** A turn that takes for ever: probes go on being answered, and the process ends itself. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { connect } from 'node:tls'
import t from 'tap'
import { Pulse } from '../../src/watchdog.ts'
import { create, remove, stored } from '../admission/reviews.ts'
import { answerOn, head } from './served.ts'

// Too long for the group `fast`.
// Measures time: a process is busy for so long, and then for too long.
t.setTimeout(300_000)

t.test('a process that answers nobody any more says so, and ends', async (t) => {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'busy-server.ts')], { stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => child.kill('SIGKILL'))
  const ended = once(child, 'exit')
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text
  })
  const [line] = await once(createInterface(child.stdout), 'line')
  const { port, healthPort, ca } = JSON.parse(String(line)) as { port: number; healthPort: number; ca: string }
  const probe = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${healthPort}${path}`)
    return { status: response.status, text: await response.text() }
  }
  const post = async (review: unknown) => {
    const body = JSON.stringify(review)
    const socket = connect({ host: '127.0.0.1', port, ca })
    socket.on('error', () => undefined)
    await once(socket, 'secureConnect')
    socket.write(head(Buffer.byteLength(body)) + body)
    return answerOn(socket)
  }
  t.match(await post(create(stored('VirtualService'))), /"allowed":true/)
  t.strictSame(await probe('/livez'), { status: 200, text: 'ok\n' })
  const unanswered = post(remove(stored('DestinationRule')))
  let ready = await probe('/readyz')
  while (ready.status === 200) ready = await probe('/readyz')
  t.strictSame(ready, { status: 503, text: 'busy since it turned to DestinationRule default/helloworld\n' })
  t.equal((await probe('/livez')).status, 200, 'it is not restarted before its time')
  t.equal((await probe('/metrics')).status, 503)
  t.strictSame((await ended)[1], 'SIGKILL')
  t.equal(await unanswered, '')
  const lines = log
    .trim()
    .split('\n')
    .map((text) => JSON.parse(text) as Record<string, unknown>)
  const lastReview = 'DestinationRule default/helloworld'
  t.match(lines[0], { level: 40, lastReview, msg: 'busy: nobody is answered meanwhile' })
  t.match(lines[1], { level: 60, lastReview, msg: 'busy for too long: ends, to be started anew' })
  t.match(String(lines[1]?.['at']), /lookForEver .*busy-server\.ts:\d+/, 'and where it was')
})

t.test('what a thread turned to is known to the other, cut to the room that there is', async (t) => {
  const here = new Pulse()
  const there = new Pulse(here.memory)
  here.turnTo('Service default/a')
  t.equal(there.work, 'Service default/a')
  here.turnTo('é'.repeat(1000))
  t.equal(there.work, 'é'.repeat(252))
  t.equal(there.beats, 0)
  here.beat()
  t.equal(there.beats, 1)
})
