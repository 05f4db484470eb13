import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Containers, Pod } from '../cluster/kubelet.ts'

/** The port on which every container listens. */
export const CONTAINER_PORT = 8080
/** The response header in which a container says its version. */
export const VERSION_HEADER = 'x-version'

interface Lifecycle {
  readonly lifecycle?: { readonly preStop?: { readonly sleep?: { readonly seconds: number } } }
}

/** In each Pod one HTTP server on the Pod's address, that answers with its version, and goes on for its `preStop` sleep when it is to end. */
export function httpContainers(): Containers & { close(): Promise<void> } {
  const servers = new Map<string, Promise<Server>>()
  const stopping = new Map<string, Promise<void>>()
  const start = async ({ metadata }: Pod, address: string) => {
    const version = metadata.labels?.['version'] ?? ''
    const server = createServer({ keepAliveTimeout: 0 }, (_request, response) => {
      response.writeHead(200, { [VERSION_HEADER]: version, 'content-length': '0' }).end()
    })
    await once(server.listen(CONTAINER_PORT, address), 'listening')
    return server
  }
  const stop = async ({ metadata, spec }: Pod) => {
    const [container] = spec.containers as readonly Lifecycle[]
    await sleep((container?.lifecycle?.preStop?.sleep?.seconds ?? 0) * 1000, undefined, { ref: false })
    await end(await servers.get(metadata.uid))
    servers.delete(metadata.uid)
  }
  return {
    start: async (pod, address) => {
      const { uid } = pod.metadata
      if (!servers.has(uid)) servers.set(uid, start(pod, address))
      await servers.get(uid)
    },
    stop: async (pod) => {
      const { uid } = pod.metadata
      if (!stopping.has(uid)) stopping.set(uid, stop(pod))
      await stopping.get(uid)
    },
    close: async () => {
      for (const server of servers.values()) await end(await server)
    }
  }
}

async function end(server: Server | undefined): Promise<void> {
  if (server === undefined) return
  server.close()
  server.closeAllConnections()
}
