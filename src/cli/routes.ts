/** `hitless routes`: the route tables that Istio would build of a state. */
import { HitlessError } from '../errors.ts'
import { resolveHost } from '../mesh/names/hosts.ts'
import type { Context } from '../mesh/routing/table.ts'
import { EXIT, type Io, type OutputFormat, printData } from '../output/io.ts'
import { routesJson } from '../output/route-json.ts'
import { routesTable } from '../output/route-table.ts'
import type { ClusterFlags } from './cluster-state.ts'
import { contextsOf, parseContext } from './contexts.ts'
import { stateOf } from './state.ts'

export interface RoutesOptions extends ClusterFlags {
  /** `namespace{label=value}`, of mesh clients and of gateways' Pods; where neither is given, all that the state shows. */
  readonly client: readonly string[]
  readonly gatewayProxy: readonly string[]
  readonly host: readonly string[]
  readonly output: OutputFormat
}

/** Gives 0, or 2 where something could not be read. */
export async function printRoutes(paths: readonly string[], options: RoutesOptions, io: Io): Promise<number> {
  const { snapshot, errors } = await stateOf(paths, options, io)
  const asked = [
    ...options.client.map((text) => contextNamed('mesh', text)),
    ...options.gatewayProxy.map((text) => contextNamed('gateway', text))
  ]
  const contexts = asked.length === 0 ? contextsOf(snapshot) : asked
  const hosts = options.host.flatMap((host) => [host, resolveHost(host, 'default', snapshot.settings.domain)])
  if (options.output === 'text') {
    const { colour, columns } = io
    io.out(routesTable(snapshot, contexts, { colour, columns, ...(hosts.length === 0 ? {} : { hosts }) }))
  } else printData(only(routesJson(snapshot, contexts), hosts), options.output, io)
  return errors.length > 0 ? EXIT.usage : EXIT.ok
}

function contextNamed(kind: Context['kind'], text: string): Context {
  const context = parseContext(kind, text)
  if (context === null) throw new HitlessError('HITLESS_USAGE', `${text} is no client; write namespace or namespace{label=value,...}`)
  return context
}

type Routes = ReturnType<typeof routesJson>

function only({ contexts }: Routes, hosts: readonly string[]): Routes {
  if (hosts.length === 0) return { contexts }
  return {
    contexts: contexts.map((context) => ({
      ...context,
      hosts: context.hosts.filter(({ host, names = [] }) => [host, ...names].some((name) => hosts.includes(name))),
      ...(context.sniffed === undefined ? {} : { sniffed: context.sniffed.filter(({ host }) => hosts.includes(host)) })
    }))
  }
}
