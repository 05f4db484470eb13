/** `hitless routes`: the route tables that Istio would build of a state. */
import { Command } from 'commander'
import { HitlessError } from '../errors.ts'
import { resolveHost } from '../mesh/names/hosts.ts'
import { EXIT, type Io, type OutputFormat, printData, printText } from '../output/io.ts'
import { routesJson } from '../output/route-json.ts'
import { routesTable } from '../output/route-table.ts'
import type { ClusterFlags } from './cluster-source.ts'
import { type Cli, collect, examples, namespaceOption, onCluster, outputOption } from './command.ts'
import { contextNamed, contextsOf } from './contexts.ts'
import { tellUnknownHost, tellUnknownNamespace } from './known-names.ts'
import { stateOf } from './looked-at.ts'
import { printUnknowns } from './not-known.ts'

interface RoutesOptions extends ClusterFlags {
  readonly namespace?: string
  /** `namespace{label=value}`, of mesh clients and of gateways' Pods; where neither is given, all that the state shows. */
  readonly client: readonly string[]
  readonly gatewayProxy: readonly string[]
  readonly host: readonly string[]
  readonly output: OutputFormat
  readonly againstIstiod: boolean
  readonly istiodAccount: string
}

export function routesCommand({ io, done }: Cli): Command {
  return onCluster(new Command('routes'), 'look at a cluster instead of files')
    .description('the route tables that Istio would build of these manifests, or of a cluster')
    .argument('[paths...]', 'files or folders; - is standard input')
    .option('--client <namespace{label=value}>', 'as this mesh client sees them; may be given more than once', collect, [])
    .option('--gateway-proxy <namespace{label=value}>', "as this gateway's Pods see them; may be given more than once", collect, [])
    .option('--host <host>', 'only this host; may be given more than once', collect, [])
    .option('--against-istiod', 'compare a cluster with what istiod has given each proxy; exit code 1 where something differs', false)
    .option('--istiod-account <name>', "the ServiceAccount in Istio's root namespace that istiod is asked as", 'hitless-settle')
    .addOption(namespaceOption())
    .addOption(outputOption())
    .addHelpText(
      'after',
      examples(
        'hitless routes mesh/ --host reviews',
        "hitless routes --cluster --client 'prod{app=web}'",
        "hitless routes --cluster --gateway-proxy 'istio-system{istio=ingressgateway}' -o json",
        'hitless routes --cluster --against-istiod'
      )
    )
    .action(async (paths: string[], options: RoutesOptions) => done(await printRoutes(paths, options, io)))
}

const NO_ROUTES = `no host has routes here: Istio's default serves each; of a VirtualService at a Gateway, the Gateway must be there too\n`

/** Gives 0, or 2 where something could not be read. */
async function printRoutes(paths: readonly string[], options: RoutesOptions, io: Io): Promise<number> {
  const { snapshot, errors, unknowns } = await stateOf(paths, options, io)
  if (options.againstIstiod) {
    if (!options.cluster) throw new HitlessError('HITLESS_USAGE', '--against-istiod needs --cluster')
    const { compareWithIstiod } = await import('./against-istiod.ts')
    return compareWithIstiod(snapshot, options, io)
  }
  const asked = [
    ...options.client.map((text) => contextNamed('mesh', text)),
    ...options.gatewayProxy.map((text) => contextNamed('gateway', text))
  ]
  const contexts = asked.length === 0 ? contextsOf(snapshot) : asked
  for (const { namespace } of asked) tellUnknownNamespace(snapshot, namespace, io)
  const resolved = (host: string) => resolveHost(host, options.namespace ?? 'default', snapshot.settings.domain)
  const hosts = options.host.flatMap((host) => [host, resolved(host)])
  for (const host of options.host) tellUnknownHost(snapshot, contexts, host, options.namespace ?? 'default', io)
  if (options.output === 'text') {
    const { colour, columns } = io
    const table = routesTable(snapshot, contexts, { colour, columns, ...(hosts.length === 0 ? {} : { hosts }) })
    printText(table === '' && hosts.length === 0 ? NO_ROUTES : table, io)
    printUnknowns(unknowns, 'warn', io.err)
  } else printData(only(routesJson(snapshot, contexts), hosts), options.output, io)
  return errors.length > 0 ? EXIT.usage : EXIT.ok
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
