// node test/conformance/gateway-api/public-suite/record.ts
// Makes the worlds and tables of this folder anew from the public conformance suite of the Gateway API, at the version that record/go.mod names. Needs Go.
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { dump } from 'js-yaml'
import { type Recorded, tablesOf } from './tables.ts'

const here = import.meta.dirname
const module = join(here, 'record')
/** What stands before any test, as the suite applies it. */
const BASE = ['base/manifests.yaml', 'mesh/manifests.yaml']

/** What is there in the build of the recorder alone: where the requests go. */
const RECORDED = `package recorded

import (
	"encoding/json"
	"sync"
)

const On = true

var (
	mutex  sync.Mutex
	asked  = []map[string]any{}
	grants = func() []string { return nil }
)

func State(now func() []string) {
	mutex.Lock()
	defer mutex.Unlock()
	grants = now
}

func Ask(name, address, how, serverName string, wanted any) {
	mutex.Lock()
	defer mutex.Unlock()
	now, err := json.Marshal(wanted)
	if err != nil {
		panic(err)
	}
	asked = append(asked, map[string]any{"name": name, "address": address, "how": how, "serverName": serverName, "wanted": json.RawMessage(now), "grants": grants()})
}

func Weights(weights map[string]float64) {
	mutex.Lock()
	defer mutex.Unlock()
	asked[len(asked)-1]["weights"] = weights
}

func Take() []map[string]any {
	mutex.Lock()
	defer mutex.Unlock()
	taken := asked
	asked = []map[string]any{}
	return taken
}
`

/** What a function of the suite begins with instead, by its name: by file of the suite. */
const HTTP = 'recorded.Ask(t.Name(), gwAddr'
const INSTEAD: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'utils/http/http.go': {
    MakeRequestAndExpectEventuallyConsistentResponse: `MakeRequest(t, &expected, gwAddr, "HTTP", "http"); ${HTTP}, "http", "", expected); return`,
    MakeRequestAndExpectFailure: `MakeRequest(t, &expected, gwAddr, "HTTP", "http"); ${HTTP}, "http fails", "", expected); return`,
    AwaitConvergence: 'return'
  },
  'utils/http/mirror.go': { ExpectMirroredRequest: 'return func() {}' },
  'utils/grpc/grpc.go': {
    MakeRequestAndExpectEventuallyConsistentResponse: `${HTTP}, "grpc " + getFullyQualifiedMethod(&expected), "", expected); return`
  },
  'utils/tls/tls.go': {
    MakeTLSRequestAndExpectEventuallyConsistentResponse: `http.MakeRequest(t, &expected, gwAddr, "HTTPS", "https"); ${HTTP}, "https", serverName, expected); return`,
    MakeTLSRequestAndExpectFailureResponse: `http.MakeRequest(t, &expected, gwAddr, "HTTPS", "https"); ${HTTP}, "https fails", serverName, expected); return`,
    MakeTLSConnectionAndExpectEventuallyConnectionRejection: `${HTTP}, "tls closed", serverName, nil); return`
  },
  'utils/tcp/tcp.go': {
    MakeTCPRequestAndExpectEventuallyValidResponse: `how := "tcp"; if useTLS { how = "tls" }; ${HTTP}, how, serverName, expected); return`,
    EchoSendOnce: `recorded.Ask("", gwAddr, "tcp once", "", nil); return "", nil`
  },
  'utils/weight/weight.go': {
    TestWeightedDistribution: 'recorded.Weights(expectedWeights); return nil',
    TestWeightedDistributionBatch: 'recorded.Weights(expectedWeights); return nil'
  },
  'utils/echo/pod.go': {
    MakeRequestAndExpectEventuallyConsistentResponse:
      'makeRequest(t, &exp); recorded.Ask(t.Name(), m.Namespace, "mesh", m.Name, exp); return',
    ConnectToAppInNamespace: 'return MeshPod{Namespace: ns, Name: string(app)}'
  }
}
/** By what a function that waits for a cluster returns. */
const WAITS: Readonly<Record<string, string>> = {
  '': 'return',
  string: 'return addressOf(%CLIENT%, gw)',
  '(string, error)': 'return addressOf(%CLIENT%, gwRef), nil',
  '(string, []gatewayv1.Hostname)': 'return addressOf(c, gw), hostnamesOf(c, routeNNs)'
}
const ADDRESS = `
// Where the test believes the Gateway to be: its name, and the port of the listener.
func addressOf(c client.Client, ref GatewayRef) string {
	gw := &gatewayv1.Gateway{}
	if err := c.Get(context.Background(), ref.NamespacedName, gw); err != nil {
		panic(err)
	}
	listener := gw.Spec.Listeners[0]
	for _, l := range gw.Spec.Listeners {
		if l.Name == *ref.listenerNames[0] {
			listener = l
		}
	}
	return net.JoinHostPort(ref.Namespace+"/"+ref.Name, strconv.Itoa(int(listener.Port)))
}

func hostnamesOf(c client.Client, names []types.NamespacedName) (hostnames []gatewayv1.Hostname) {
	for _, name := range names {
		route := &gatewayv1.TLSRoute{}
		if err := c.Get(context.Background(), name, route); err != nil {
			panic(err)
		}
		hostnames = route.Spec.Hostnames
	}
	return
}
`

const scratch = mkdtempSync(join(tmpdir(), 'record-'))
try {
  write(record())
} finally {
  rmSync(scratch, { recursive: true })
}

function record(): { suite: string; tests: readonly Recorded[] } {
  const go = (...args: string[]) => execFileSync('go', args, { cwd: module, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], env })
  const out = join(scratch, 'recorded.jsonl')
  const env = { ...process.env, GOFLAGS: '-mod=mod', RECORD_TO: out }
  const suite = go('list', '-m', '-f', '{{.Dir}}', 'sigs.k8s.io/gateway-api/conformance').trim()
  const copy = join(scratch, 'suite')
  execFileSync('cp', ['-r', suite, copy])
  execFileSync('chmod', ['-R', 'u+w', copy])
  mkdirSync(join(copy, 'utils/recorded'))
  writeFileSync(join(copy, 'utils/recorded/recorded.go'), RECORDED)
  const change = (file: string, made: (text: string) => string) =>
    writeFileSync(join(copy, file), made(readFileSync(join(copy, file), 'utf8')))
  for (const [file, instead] of Object.entries(INSTEAD)) change(file, (text) => withRecorder(text, (name) => instead[name] ?? null))
  change('utils/kubernetes/helpers.go', (text) => `${withRecorder(text, waits)}${ADDRESS}`)
  for (const file of ['go.mod', 'go.sum']) cpSync(join(module, file), join(scratch, file))
  go('mod', 'edit', `-replace=sigs.k8s.io/gateway-api/conformance=${copy}`, join(scratch, 'go.mod'))
  try {
    go('test', '-count=1', '-timeout=5m', `-modfile=${join(scratch, 'go.mod')}`, '.')
  } catch (error) {
    // Tests that look at more than answers fail against nobody; what they asked until then is recorded.
    process.stderr.write(String((error as { stdout?: unknown }).stdout).replace(/^[\s\S]*\n(?=panic:)/, ''))
  }
  const lines = readFileSync(out, 'utf8').trim().split('\n')
  return { suite, tests: lines.map((line): Recorded => JSON.parse(line)) }
}

/** A Go file of which functions begin with what `insteadOf` gives for their name, parameters and results. */
function withRecorder(text: string, insteadOf: (name: string, parameters: string, results: string) => string | null): string {
  const own = text.replaceAll(
    /^func (?:\(\w+ \*?\w+\) )?([A-Z]\w*)\(([\s\S]*?)\) ?([^{}\n]*?)\s*\{$/gm,
    (whole: string, name: string, parameters: string, results: string) => {
      const instead = insteadOf(name, parameters, results)
      return instead === null ? whole : `${whole}\n\tif recorded.On {\n\t\t${instead}\n\t}`
    }
  )
  return own.replace(/^package \w+.*$/m, '$&\n\nimport "sigs.k8s.io/gateway-api/conformance/utils/recorded"')
}

function waits(name: string, parameters: string, results: string): string | null {
  if (name.startsWith('GWCMust')) return 'return "istio.io/gateway-controller"'
  if (!parameters.startsWith('t *testing.T') && !parameters.trimStart().startsWith('t *testing.T')) return null
  if (!/Must|WaitForGatewayAddress/.test(name) || name.startsWith('RouteType')) return null
  if (results === 'gatewayv1.TLSRoute') return 'return gatewayv1.TLSRoute{}'
  const [, client = ''] = /(\w+) client\.Client/.exec(parameters) ?? []
  const instead = WAITS[results]
  if (instead === undefined) throw new Error(`${name} returns ${results}`)
  return instead.replace('%CLIENT%', client)
}

/** The manifests as they are, and a table for each state in which a test asks; which tests there are is a list of its own. */
function write({ suite, tests }: { suite: string; tests: readonly Recorded[] }): void {
  for (const made of ['manifests', 'tables']) rmSync(join(here, made), { recursive: true, force: true })
  mkdirSync(join(here, 'tables'))
  const tables = tests.flatMap(tablesOf)
  for (const file of new Set([...BASE, ...tables.flatMap(({ manifests }) => manifests)])) {
    mkdirSync(dirname(join(here, 'manifests', file)), { recursive: true })
    writeFileSync(join(here, 'manifests', file), readFileSync(join(suite, file)))
  }
  const names = new Map<string, number>()
  for (const table of tables) {
    const count = (names.get(table.test) ?? 0) + 1
    names.set(table.test, count)
    writeFileSync(join(here, 'tables', `${table.test}${count === 1 ? '' : `-${count}`}.yaml`), dump(table, { lineWidth: -1, noRefs: true }))
  }
  const list = tests.map(({ test, description, requests, failed }) => ({
    test,
    description,
    requests: requests.length,
    ...(failed ? { failed } : {})
  }))
  writeFileSync(
    join(here, 'tests.yaml'),
    dump(
      list.sort((one, other) => (one.test < other.test ? -1 : 1)),
      { lineWidth: -1 }
    )
  )
}
