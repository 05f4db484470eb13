/**
 * Writes through a real API server, whose webhook is hitless, a handler that allows everything, or none: told apart by a label, so that
 * writes to each follow one another and whatever else the machine does meets all alike.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ControlPlane, startControlPlane } from '../test/rig/control-plane.ts'
import { startHitless } from '../test/rig/hitless-process.ts'
import { storeConfiguration, storePods, storeWorkloads, virtualServicePath } from './clusters.ts'
import { percentile, type Row } from './report.ts'
import { startBareFastify, startBareGo, untilIdle } from './servers/processes.ts'
import { namespaceOf, virtualService } from './worlds.ts'

const WEBHOOKS = ['no webhook', 'no-op Fastify', 'no-op Go', 'hitless'] as const
type Webhook = (typeof WEBHOOKS)[number]

const SMALL = 100
const LARGE = 10_000
const SERIAL = 200
const WARM_UP = 20
const AT_ONCE = [8, 32]
const CONCURRENT = 320
const RULES = [{ apiGroups: ['networking.istio.io'], apiVersions: ['v1'], resources: ['virtualservices'], operations: ['UPDATE' as const] }]

interface Kind {
  readonly name: string
  /** The write that is timed, the at-th of a host, and the one that makes room for it again. */
  readonly weights: (at: number) => Readonly<Record<string, number>>
  readonly reset: Readonly<Record<string, number>> | null
  readonly most: number
}

const KINDS: readonly Kind[] = [
  { name: 'weight step', weights: (at) => ({ v1: 50 + (at % 40), v2: 50 - (at % 40) }), reset: null, most: 1.15 },
  { name: 'first weight on a subset', weights: () => ({ v1: 50, v2: 45, v3: 5 }), reset: { v1: 50, v2: 50 }, most: 2 }
]

export async function measureWrites(): Promise<Row[]> {
  const plane = await startControlPlane({ controllers: false })
  const stops: (() => Promise<unknown>)[] = [plane.stop]
  try {
    const files = { certFile: join(plane.directory, 'bench.crt'), keyFile: join(plane.directory, 'bench.key') }
    writeFileSync(files.certFile, plane.certificate.cert)
    writeFileSync(files.keyFile, plane.certificate.key)
    const fastify = await startBareFastify(files)
    stops.unshift(fastify.stop)
    const go = await startBareGo(files)
    stops.unshift(go.stop)
    const config = join(plane.directory, 'hitless.yaml')
    writeFileSync(config, '{ apiVersion: hitless.io/v1, kind: Config, settle: { milliseconds: 0 } }')
    await storeConfiguration(plane, { from: 0, to: SMALL }, labelsOf)
    await storeWorkloads(plane, { from: 0, to: SMALL })
    await storePods(plane, { from: 0, to: SMALL })
    const hitless = await startHitless(plane, { flags: ['--config', config], register: false })
    stops.unshift(() => hitless.stop('SIGKILL'))
    await register(plane, 'no-op Fastify', fastify.url, readFileSync(files.certFile, 'utf8'))
    await register(plane, 'no-op Go', go.url, readFileSync(files.certFile, 'utf8'))
    await register(plane, 'hitless', `https://127.0.0.1:${hitless.port}/validate`, hitless.ca)

    const small = await measureAll(plane)
    await storeConfiguration(plane, { from: SMALL, to: LARGE })
    await storePods(plane, { from: SMALL, to: LARGE }, 1)
    await untilIdle(hitless.pid)
    const large = await measureAll(plane)
    return rowsOf(small, large)
  } finally {
    for (const stop of stops) await stop()
  }
}

function labelsOf(host: number): { bench: string } {
  return { bench: labelOf(WEBHOOKS[host % WEBHOOKS.length] ?? 'no webhook') }
}

function labelOf(webhook: Webhook): string {
  return webhook.replaceAll(' ', '-')
}

async function register(plane: ControlPlane, webhook: Webhook, url: string, caBundle: string): Promise<void> {
  const more = { objectSelector: { matchLabels: { bench: labelOf(webhook) } } }
  await plane.registerWebhook({ name: labelOf(webhook).toLowerCase(), url, caBundle, rules: RULES, more })
}

/** Milliseconds of each write, and writes in a second with so many at once. */
interface Measured {
  readonly serial: Readonly<Record<string, ReadonlyMap<Webhook, number[]>>>
  readonly concurrent: ReadonlyMap<number, ReadonlyMap<Webhook, { readonly perSecond: number; readonly p99: number }>>
}

async function measureAll(plane: ControlPlane): Promise<Measured> {
  const serial: Record<string, Map<Webhook, number[]>> = {}
  for (const kind of KINDS) serial[kind.name] = await measureSerial(plane, kind)
  const concurrent = new Map<number, Map<Webhook, { perSecond: number; p99: number }>>()
  for (const atOnce of AT_ONCE) {
    const byWebhook = new Map<Webhook, { perSecond: number; p99: number }>()
    for (const webhook of WEBHOOKS) byWebhook.set(webhook, await measureConcurrent(plane, webhook, atOnce))
    concurrent.set(atOnce, byWebhook)
  }
  return { serial, concurrent }
}

async function measureSerial(plane: ControlPlane, kind: Kind): Promise<Map<Webhook, number[]>> {
  const times = new Map<Webhook, number[]>(WEBHOOKS.map((webhook) => [webhook, []]))
  for (let at = 0; at < WARM_UP + SERIAL; at++) {
    for (const [turn, webhook] of WEBHOOKS.entries()) {
      const host = hostOf(turn, at)
      if (kind.reset !== null) await write(plane, host, kind.reset)
      const startMs = performance.now()
      await write(plane, host, kind.weights(at))
      if (at >= WARM_UP) times.get(webhook)?.push(performance.now() - startMs)
    }
  }
  return times
}

async function measureConcurrent(plane: ControlPlane, webhook: Webhook, atOnce: number): Promise<{ perSecond: number; p99: number }> {
  const turn = WEBHOOKS.indexOf(webhook)
  const times: number[] = []
  let next = 0
  const startMs = performance.now()
  const work = async () => {
    while (next < CONCURRENT) {
      const at = next++
      const sentMs = performance.now()
      await write(plane, hostOf(turn, at), { v1: 50 + (Math.floor(at / 25) % 40), v2: 50 - (Math.floor(at / 25) % 40) })
      times.push(performance.now() - sentMs)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return { perSecond: CONCURRENT / ((performance.now() - startMs) / 1000), p99: percentile(times, 0.99) }
}

/** Each webhook has hosts of its own. */
function hostOf(turn: number, at: number): number {
  return (at % (SMALL / WEBHOOKS.length)) * WEBHOOKS.length + turn
}

/** What is not admitted is no measurement. */
async function write(plane: ControlPlane, host: number, weights: Readonly<Record<string, number>>): Promise<void> {
  const { spec } = virtualService(host, weights)
  const path = virtualServicePath(host, namespaceOf(host))
  const { status, body } = await plane.api.request('PATCH', path, { body: { spec }, contentType: 'application/merge-patch+json' })
  if (status !== 200) throw new Error(`${path}: ${status} ${JSON.stringify(body)}`)
}

function rowsOf(small: Measured, large: Measured): Row[] {
  return [
    ...KINDS.flatMap(({ name, most }) => [SMALL, LARGE].flatMap((hosts) => serialRows(name, most, hosts, hosts === SMALL ? small : large))),
    ...KINDS.map(({ name }) => flatRow(name, small, large)),
    ...AT_ONCE.flatMap((atOnce) => [SMALL, LARGE].flatMap((hosts) => concurrentRows(atOnce, hosts, hosts === SMALL ? small : large)))
  ]
}

function p50(measured: Measured, kind: string, webhook: Webhook): number {
  return percentile(measured.serial[kind]?.get(webhook) ?? [], 0.5)
}

function serialRows(kind: string, most: number, hosts: number, measured: Measured): Row[] {
  const what = `serial ${kind}, ${hosts.toLocaleString('en')} hosts, p50`
  const value = p50(measured, kind, 'hitless')
  return WEBHOOKS.filter((webhook) => webhook !== 'hitless').map((webhook) => ({
    what,
    measured: value,
    unit: 'ms',
    baseline: { what: webhook, measured: p50(measured, kind, webhook) },
    ...(webhook === 'no-op Fastify' ? { bar: { of: 'ratio' as const, most } } : {})
  }))
}

/** By its ratio to the no-op, since the API server itself may be slower with more objects. */
function flatRow(kind: string, small: Measured, large: Measured): Row {
  const ratio = (measured: Measured) => p50(measured, kind, 'hitless') / p50(measured, kind, 'no-op Fastify')
  return {
    what: `serial ${kind}, ${LARGE.toLocaleString('en')} hosts, p50 to no-op Fastify's`,
    measured: ratio(large),
    unit: '×',
    baseline: { what: `${SMALL} hosts`, measured: ratio(small) },
    bar: { of: 'ratio', most: 1.15 }
  }
}

function concurrentRows(atOnce: number, hosts: number, { concurrent }: Measured): Row[] {
  const of = (webhook: Webhook) => concurrent.get(atOnce)?.get(webhook)?.perSecond ?? 0
  return WEBHOOKS.filter((webhook) => webhook !== 'hitless').map((webhook) => ({
    what: `${atOnce} writes at once, ${hosts.toLocaleString('en')} hosts`,
    measured: of('hitless'),
    unit: '/s',
    baseline: { what: webhook, measured: of(webhook) }
  }))
}
