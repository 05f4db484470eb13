// Package record runs the tests of the public conformance suite of the Gateway API against nobody, and writes down what they ask and want.
//
// ../record.ts compiles it with helpers of the suite replaced: those that wait for a cluster return at once, and those that send a request hand it to
// utils/recorded, a package that is there in this build alone. The tests' own code says which requests there are; none of them is parsed or copied.
package record

import (
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientset "k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/gateway-api/conformance"
	"sigs.k8s.io/gateway-api/conformance/tests"
	meshtests "sigs.k8s.io/gateway-api/conformance/tests/mesh"
	"sigs.k8s.io/gateway-api/conformance/utils/config"
	"sigs.k8s.io/gateway-api/conformance/utils/kubernetes"
	"sigs.k8s.io/gateway-api/conformance/utils/recorded"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"
	"sigs.k8s.io/gateway-api/pkg/features"
)

func TestRecord(t *testing.T) {
	out, err := os.Create(os.Getenv("RECORD_TO"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	s := newSuite(t)
	recorded.State(func() []string { return grants(t, s.Client) })
	for _, test := range append(tests.ConformanceTests, meshtests.MeshConformanceTests...) {
		t.Run(test.ShortName, func(t *testing.T) {
			t.Cleanup(func() {
				line := map[string]any{
					"test": test.ShortName, "description": test.Description, "features": test.Features, "manifests": test.Manifests,
					"requests": recorded.Take(), "failed": t.Failed(),
				}
				if err := json.NewEncoder(out).Encode(line); err != nil {
					panic(err)
				}
			})
			defer func() {
				if problem := recover(); problem != nil {
					t.Error(problem)
				}
			}()
			for _, manifest := range test.Manifests {
				s.Applier.MustApplyWithCleanup(t, s.Client, s.TimeoutConfig, manifest, true)
			}
			test.Test(t, s)
		})
	}
}

// A cluster that does nothing, with the base of the suite.
func newSuite(t *testing.T) *suite.ConformanceTestSuite {
	scheme := runtime.NewScheme()
	for _, install := range []func(*runtime.Scheme) error{gatewayv1.Install, corev1.AddToScheme, appsv1.AddToScheme, discoveryv1.AddToScheme} {
		if err := install(scheme); err != nil {
			t.Fatal(err)
		}
	}
	s := &suite.ConformanceTestSuite{
		Client:            fake.NewClientBuilder().WithScheme(scheme).Build(),
		Clientset:         clientset.NewClientset(),
		RestConfig:        &rest.Config{},
		GatewayClassName:  "istio",
		ControllerName:    "istio.io/gateway-controller",
		BaseManifests:     "base/manifests.yaml",
		MeshManifests:     "mesh/manifests.yaml",
		TimeoutConfig:     config.DefaultTimeoutConfig(),
		SupportedFeatures: suite.FeaturesSet{},
		ManifestFS:        []fs.FS{&conformance.Manifests},
		Applier:           kubernetes.Applier{ManifestFS: []fs.FS{&conformance.Manifests}},
	}
	s.TimeoutConfig.NamespacesMustBeReady = time.Second
	s.SupportedFeatures.Insert(features.SupportGateway, features.SupportMesh)
	s.Setup(t, nil)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "gateway-conformance-infra", Name: "infra-backend-v1-1", Labels: map[string]string{"app": "infra-backend-v1"}}}
	pod.Status.PodIPs = []corev1.PodIP{{IP: "10.0.0.1"}}
	if err := s.Client.Create(context.Background(), pod); err != nil {
		t.Fatal(err)
	}
	return s
}

// Which ReferenceGrants there are: what tests take away between two requests.
func grants(t *testing.T, c client.Client) []string {
	list := gatewayv1.ReferenceGrantList{}
	if err := c.List(context.Background(), &list); err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, grant := range list.Items {
		names = append(names, grant.Namespace+"/"+grant.Name)
	}
	return names
}
