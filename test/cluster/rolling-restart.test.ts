/** Three real processes behind one address are restarted one after the other while reviews go on: none may fail. */
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { howMany } from '../form.ts'
import { destinationRule, rule, service, to, virtualService } from '../manifests.ts'
import { startControlPlane } from '../rig/control-plane.ts'
import { type HitlessProcess, startHitless } from '../rig/hitless-process.ts'

t.setTimeout(5 * 60_000)

const REVIEWS = howMany(500, 2_000)
/** As many as keep a small machine busy: how many a second that makes is its own affair. */
const IN_FLIGHT = 4
const REPLICAS = 3
const HOSTS = 20

/** As kube-proxy does it for a Service: a new connection goes to one of the endpoints, and stays there. */
class Balancer {
  readonly endpoints = new Set<number>()
  readonly #server = createServer((incoming) => this.#pass(incoming))
  readonly #sockets = new Set<Socket>()
  #turn = 0

  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return (this.#server.address() as AddressInfo).port
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
  }

  #pass(incoming: Socket): void {
    const ports = [...this.endpoints]
    const port = ports[this.#turn++ % ports.length]
    if (port === undefined) {
      incoming.destroy()
      return
    }
    const outgoing = connect(port, '127.0.0.1')
    for (const socket of [incoming, outgoing]) {
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
    }
    incoming.on('error', () => outgoing.destroy())
    outgoing.on('error', () => incoming.destroy())
    incoming.pipe(outgoing).pipe(incoming)
  }
}

const plane = await startControlPlane({ controllers: false })
t.teardown(() => plane.stop())
const files = { cert: join(plane.directory, 'webhook.crt'), key: join(plane.directory, 'webhook.key') }
await writeFile(files.cert, plane.certificate.cert)
await writeFile(files.key, plane.certificate.key)
const balancer = new Balancer()
const port = await balancer.listen()
t.teardown(() => balancer.close())

async function startReplica(): Promise<HitlessProcess> {
  const flags = ['--tls-cert', files.cert, '--tls-key', files.key, '--drain', '2', '--settle', '0']
  const replica = await startHitless(plane, { register: false, flags })
  balancer.endpoints.add(replica.port)
  return replica
}

/** The endpoint goes when the Pod begins to end, but not in every proxy at once: here, when its readiness fails. */
async function stopReplica(replica: HitlessProcess): Promise<number | null> {
  const exit = replica.stop()
  for (;;) {
    const { status } = await fetch(`http://127.0.0.1:${replica.healthPort}/readyz`)
    if (status !== 200) break
    await sleep(5)
  }
  balancer.endpoints.delete(replica.port)
  return exit
}

t.test(`${REVIEWS} reviews and more while three processes are replaced one after the other: none fails`, async (t) => {
  const hosts = Array.from({ length: HOSTS }, (_, at) => `host-${at}`)
  const objects = hosts.flatMap((host) => {
    const meta = { name: host }
    const destination = (subset: string, weight: number) => to(subset, weight, { host })
    return [
      service({ selector: null }, meta),
      destinationRule(['v1', 'v2'], { host }, meta),
      virtualService([rule([destination('v1', 100), destination('v2', 0)])], { hosts: [host] }, meta)
    ]
  })
  const { code, stderr } = await plane.kubectl(['apply', '-n', 'default', '-f', '-'], {
    input: objects.map((each) => JSON.stringify({ ...each, metadata: { ...each.metadata, namespace: 'default' } })).join('\n---\n')
  })
  if (code !== 0) throw new Error(stderr)
  const replicas = await Promise.all(Array.from({ length: REPLICAS }, startReplica))
  await plane.registerWebhook({ url: `https://127.0.0.1:${port}/validate`, caBundle: plane.ca, failurePolicy: 'Fail', timeoutSeconds: 3 })

  const failures: string[] = []
  const write = async (at: number) => {
    const host = hosts[at % HOSTS] ?? ''
    const weight = 1 + (at % 98)
    const route = [to('v1', 100 - weight, { host }), to('v2', weight, { host })]
    const { status, body } = await plane.api.request<{ message?: string }>(
      'PATCH',
      `/apis/networking.istio.io/v1/namespaces/default/virtualservices/${host}?dryRun=All`,
      { body: { spec: { http: [{ route }] } }, contentType: 'application/merge-patch+json' }
    )
    if (status !== 200) failures.push(`${status} ${body.message ?? ''}`)
  }
  let made = 0
  let restarting = true
  const worker = async () => {
    while (restarting || made < REVIEWS) await write(made++)
  }
  const started = performance.now()
  const load = Promise.all(Array.from({ length: IN_FLIGHT }, worker))
  const exits: (number | null)[] = []
  for (const old of replicas) {
    const fresh = await startReplica()
    t.teardown(() => fresh.stop())
    exits.push(await stopReplica(old))
  }
  restarting = false
  await load
  t.comment(`${made} reviews, ${Math.round((made * 1000) / (performance.now() - started))} a second`)
  t.same(failures, [])
  t.ok(made >= REVIEWS, `${made} reviews`)
  t.same(exits, [0, 0, 0], 'each ended by itself')
})
