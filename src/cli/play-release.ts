/** `hitless demo`: the webhook on the guide's world, and the guide's release played against it over real HTTPS - first carelessly, then in order. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { styleText } from 'node:util'
import { defaultConfig, withSettings } from '../config.ts'
import { HitlessError } from '../errors.ts'
import { type Manifest, readManifests } from '../manifests/manifests.ts'
import type { Io } from '../output/io.ts'
import { RULE_IDS } from '../rules/index.ts'
import { firstPair } from '../webhook/certificates.ts'
import { loadSandbox, serve } from '../webhook/serve.ts'
import { settleOf } from '../webhook/settle.ts'
import { telling } from '../webhook/telling.ts'

interface DemoOptions {
  /** The folder with `world/` and `release/`. */
  readonly examples: string
  /** Ends after the release instead of staying up. */
  readonly once: boolean
  readonly port: string
}

type Write = { readonly title: string; readonly operation: 'CREATE' | 'UPDATE' | 'DELETE'; readonly raw: Record<string, unknown> }

interface Answer {
  readonly allowed: boolean
  readonly message: string
  readonly warnings: readonly string[]
}

/** Gives 0 when the careless order was refused and the guide's order admitted throughout. */
export async function playRelease({ examples, once, port }: DemoOptions, io: Io): Promise<number> {
  const tls = await firstPair(null, io.nowMs())
  const defaults = withSettings(defaultConfig(RULE_IDS), [{ flag: '--port', section: 'server', field: 'port', value: port }], RULE_IDS)
  const config = {
    ...defaults,
    // One player writes to a cluster without proxies: there is nothing to wait for.
    settle: { ...defaults.settle, milliseconds: 0 },
    server: { ...defaults.server, host: '127.0.0.1', healthHost: '127.0.0.1', healthPort: 0, drainSeconds: 0 },
    log: { level: 'warn' }
  }
  const told = telling(config, io)
  const settle = settleOf(
    () => config,
    () => undefined,
    io
  )
  const sandbox = loadSandbox([join(examples, 'world')], 1000, settle, io)
  const server = await serve({ ...told, config: () => config, state: sandbox, settle, tls, problem: () => null, live: null }, io)
  const client = new Client(server.port, tls.authority, readManifests([join(examples, 'world')], io.stdin).manifests)
  const paint = (colour: 'green' | 'red' | 'bold', text: string) => (io.colour ? styleText(colour, text, { validateStream: false }) : text)
  const play = async (write: Write, expected: boolean): Promise<boolean> => {
    const { allowed, message, warnings } = await client.review(write)
    io.out(`  ${allowed ? paint('green', 'admitted') : paint('red', 'refused ')}  ${write.title}\n`)
    if (!allowed) io.out(`            ${message}\n`)
    for (const warning of warnings) io.out(`            Warning: ${warning}\n`)
    return allowed === expected
  }
  try {
    io.out(`hitless answers on https://127.0.0.1:${server.port}/validate: Service helloworld, all requests to v1\n\n`)
    io.out(`${paint('bold', 'The release in a careless order')}\n`)
    let asExpected = true
    for (const write of careless(examples)) asExpected = (await play(write, false)) && asExpected
    io.out(`\n${paint('bold', "The release in the guide's order")}\n`)
    for (const write of ordered(examples)) {
      asExpected = (await play(write, true)) && asExpected
      if (write.raw['kind'] === 'Deployment' && write.operation === 'CREATE') sandbox.ready('default', String(nameOf(write.raw)))
    }
    io.out(asExpected ? '\nNo request was left unanswered.\n' : '\nThis is not what was expected: please report it.\n')
    if (!once) await stayUp(server.port, tls.authority, examples, io)
    return asExpected ? 0 : 1
  } finally {
    client.close()
    await server.close()
  }
}

/** The same steps, each too early. */
function careless(examples: string): Write[] {
  const release = (step: string) => only(join(examples, 'release', step))
  const weight = release('07-weight-50')
  return [
    { title: 'send 50% to v2 before any DestinationRule defines it', operation: 'UPDATE', raw: weight },
    {
      title: 'take subset v1 out of the DestinationRule while it has all requests',
      operation: 'UPDATE',
      raw: release('14-drop-subset-v1')
    },
    { title: 'delete Deployment helloworld-v1 while it answers everything', operation: 'DELETE', raw: release('15-delete-deployment-v1') },
    {
      title: 'put version: v1 into the selector of the Service',
      operation: 'UPDATE',
      raw: withSelector(only(join(examples, 'world', 'service.yaml')))
    }
  ]
}

function ordered(examples: string): Write[] {
  const { manifests, errors } = readManifests([join(examples, 'release')], () => '')
  if (errors[0] !== undefined) throw errors[0]
  return manifests.map(({ raw, file }) => {
    const step = file.split(/[\\/]/).at(-2) ?? ''
    const operation = step.includes('delete') ? 'DELETE' : step.includes('deployment') ? 'CREATE' : 'UPDATE'
    return { title: step.replace(/^\d+-/, '').replaceAll('-', ' '), operation, raw }
  })
}

function only(path: string): Record<string, unknown> {
  const { manifests, errors } = readManifests([path], () => '')
  const [manifest] = manifests
  if (manifest === undefined) throw errors[0] ?? new HitlessError('HITLESS_UNREADABLE', `${path}: no manifest in it`)
  return manifest.raw
}

function withSelector(service: Record<string, unknown>): Record<string, unknown> {
  const spec = service['spec'] as Record<string, unknown>
  return { ...service, spec: { ...spec, selector: { ...(spec['selector'] as object), version: 'v1' } } }
}

function nameOf(raw: Record<string, unknown>): unknown {
  return (raw['metadata'] as Record<string, unknown>)['name']
}

/** Sends reviews as the API server does. */
class Client {
  readonly #agent: Agent
  readonly #port: number
  readonly #stored = new Map<string, Record<string, unknown>>()
  #count = 0

  constructor(port: number, ca: string, world: readonly Manifest[]) {
    this.#agent = new Agent({ ca, keepAlive: true })
    this.#port = port
    for (const { raw } of world) this.#stored.set(keyOf(raw), raw)
  }

  close(): void {
    this.#agent.destroy()
  }

  async review(write: Write): Promise<Answer> {
    const review = reviewOf(write, this.#old(write), `demo-${++this.#count}`)
    const answer = (await post(this.#agent, this.#port, JSON.stringify(review))) as { response: Record<string, unknown> }
    const { allowed, status, warnings } = answer.response
    if (allowed === true) this.#stored.set(keyOf(write.raw), write.raw)
    return {
      allowed: allowed === true,
      message: String((status as { message?: string } | undefined)?.message ?? ''),
      warnings: (warnings as string[] | undefined) ?? []
    }
  }

  /** The stored object, which the API server sends beside the new one. */
  #old(write: Write): Record<string, unknown> | null {
    return write.operation === 'CREATE' ? null : (this.#stored.get(keyOf(write.raw)) ?? null)
  }
}

function keyOf(raw: Record<string, unknown>): string {
  return `${String(raw['kind'])}/${String(nameOf(raw))}`
}

const PLURALS: ReadonlyMap<string, string> = new Map([
  ['VirtualService', 'virtualservices'],
  ['DestinationRule', 'destinationrules'],
  ['Service', 'services'],
  ['Deployment', 'deployments']
])

/** An AdmissionReview as kube-apiserver writes it. */
function reviewOf({ operation, raw }: Omit<Write, 'title'>, old: Record<string, unknown> | null, uid: string): unknown {
  const [version = '', group = ''] = String(raw['apiVersion']).split('/').reverse()
  const kind = String(raw['kind'])
  return {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid,
      kind: { group, version, kind },
      resource: { group, version, resource: PLURALS.get(kind) },
      name: nameOf(raw),
      namespace: 'default',
      operation,
      userInfo: { username: 'you', groups: ['system:authenticated'] },
      object: operation === 'DELETE' ? null : raw,
      oldObject: old,
      dryRun: false,
      options: {}
    }
  }
}

function post(agent: Agent, port: number, body: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    const sent = request({ agent, host: '127.0.0.1', port, path: '/validate?timeout=5s', method: 'POST', headers }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
      })
      response.on('end', () => resolve(JSON.parse(text)))
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

async function stayUp(port: number, authority: string, examples: string, io: Io): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'hitless-'))
  const stored = only(join(examples, 'release', '13-only-v2'))
  const careless50 = reviewOf({ operation: 'UPDATE', raw: only(join(examples, 'release', '07-weight-50')) }, stored, 'yours')
  writeFileSync(join(folder, 'ca.pem'), authority)
  writeFileSync(join(folder, 'review.json'), JSON.stringify(careless50))
  io.out(
    `\nStill up, at v2. Now your own writes:\n` +
      `  curl --cacert ${join(folder, 'ca.pem')} -H 'content-type: application/json' --data @${join(folder, 'review.json')} https://127.0.0.1:${port}/validate\n` +
      `  npm run -s hitless -- check --base ${join(examples, 'world')} ${join(examples, 'release', '07-weight-50')}\n` +
      `Ctrl-C ends it.\n`
  )
  await new Promise<void>((resolve) => {
    if (io.signal.aborted) resolve()
    else io.signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
