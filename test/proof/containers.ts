import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { Containers, Pod } from '../rig/kubelet.ts'

/** The port on which every container listens. */
export const CONTAINER_PORT = 8080
/** The response header in which a container says its version. */
export const VERSION_HEADER = 'x-version'

/** In each Pod one HTTP server on the Pod's address, that answers with its version until the Pod ends. Pods that end by themselves are those of analyses, and all fail. */
export function httpContainers(): Containers & { close(): Promise<void> } {
  const servers = new Map<string, Promise<Server>>()
  const start = ({ metadata }: Pod, address: string) => answering(metadata.labels?.['version'] ?? '', address)
  return {
    start: async (pod, address) => {
      const { uid } = pod.metadata
      if (!servers.has(uid)) servers.set(uid, start(pod, address))
      await servers.get(uid)
    },
    run: async () => 1,
    stop: async ({ metadata: { uid } }) => {
      await end(await servers.get(uid))
      servers.delete(uid)
    },
    close: async () => {
      for (const server of servers.values()) await end(await server)
    }
  }
}

async function answering(version: string, address: string): Promise<Server> {
  const server = createServer({ keepAliveTimeout: 0 }, (_request, response) => {
    response.writeHead(200, { [VERSION_HEADER]: version, 'content-length': '0' }).end()
  })
  await once(server.listen(CONTAINER_PORT, address), 'listening')
  return server
}

/** A machine that no Pod runs on; returns how to end it. */
export async function startMachine(address: string): Promise<() => Promise<void>> {
  const server = await answering('machine', address)
  return () => end(server)
}

async function end(server: Server | undefined): Promise<void> {
  if (server === undefined) return
  server.close()
  server.closeAllConnections()
}
