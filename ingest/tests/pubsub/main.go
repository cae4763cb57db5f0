// The Pub/Sub that ingest's tests run: Google's own fake of the service behind the check of a service account's token.
//
// It writes the account's JSON key, and beside it one that is not valid, and keeps messages in memory. SIGUSR1 closes its
// ports and every connection, SIGUSR2 opens them again with the same messages.
package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"cloud.google.com/go/pubsub/apiv1/pubsubpb"
	"cloud.google.com/go/pubsub/pstest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const (
	email    = "posthouse@test.iam.gserviceaccount.com"
	audience = "https://pubsub.googleapis.com/"
)

func main() {
	port := flag.Int("port", 0, "where it listens on loopback")
	account := flag.String("account", "", "where the account's key is written")
	tlsPort := flag.Int("tls-port", 0, "where it listens encrypted")
	certificate := flag.String("certificate", "", "the certificate's file")
	key := flag.String("key", "", "the file of the certificate's key")
	flag.Parse()

	public := write(*account)
	write(*account + ".wrong")
	messages := pstest.NewServer()
	var serving []*grpc.Server
	open := func() {
		serving = append(serving, serve(messages, public, *port))
		if *tlsPort != 0 {
			encrypted, err := credentials.NewServerTLSFromFile(*certificate, *key)
			check(err)
			serving = append(serving, serve(messages, public, *tlsPort, grpc.Creds(encrypted)))
		}
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTERM)
	open()
	for received := range signals {
		for _, server := range serving {
			server.Stop()
		}
		serving = nil
		switch received {
		case syscall.SIGUSR2:
			open()
		case syscall.SIGTERM:
			return
		}
	}
}

// write makes a service account's JSON key and returns the key that proves its tokens.
func write(path string) *rsa.PublicKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	check(err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	check(err)
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	account, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "test", "private_key_id": "k", "client_email": email, "private_key": string(text),
	})
	check(err)
	check(os.WriteFile(path, account, 0o600))
	return &key.PublicKey
}

func serve(messages *pstest.Server, public *rsa.PublicKey, port int, options ...grpc.ServerOption) *grpc.Server {
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	check(err)
	call := func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		if err := allow(ctx, info.FullMethod, public); err != nil {
			return nil, err
		}
		return next(ctx, req)
	}
	stream := func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
		if err := allow(ss.Context(), info.FullMethod, public); err != nil {
			return err
		}
		return next(srv, ss)
	}
	server := grpc.NewServer(append(options, grpc.UnaryInterceptor(call), grpc.StreamInterceptor(stream))...)
	pubsubpb.RegisterPublisherServer(server, &messages.GServer)
	pubsubpb.RegisterSubscriberServer(server, &messages.GServer)
	go func() { check(server.Serve(listener)) }()
	return server
}

// allow refuses whoever reads without the account's token. Topics, subscriptions and messages are made by anybody.
func allow(ctx context.Context, method string, public *rsa.PublicKey) error {
	reads := strings.HasPrefix(method, "/google.pubsub.v1.Subscriber/") && !strings.HasSuffix(method, "Subscription")
	if !reads {
		return nil
	}
	given, _ := metadata.FromIncomingContext(ctx)
	for _, value := range given.Get("authorization") {
		token := strings.TrimPrefix(value, "Bearer ")
		if token != value && proves(token, public) == nil {
			return nil
		}
	}
	return status.Error(codes.Unauthenticated, "Request had invalid authentication credentials.")
}

// proves checks a token that the account has signed itself.
func proves(token string, public *rsa.PublicKey) error {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return errors.New("no token")
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return err
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], signature); err != nil {
		return err
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return err
	}
	var claims struct {
		Iss, Sub, Aud string
		Iat, Exp      int64
	}
	if err := json.Unmarshal(text, &claims); err != nil {
		return err
	}
	now := time.Now().Unix()
	if claims.Iss != email || claims.Sub != email || claims.Aud != audience {
		return errors.New("a token of another")
	}
	if claims.Iat > now || claims.Exp <= now || claims.Exp-claims.Iat > 3600 {
		return errors.New("not its time")
	}
	return nil
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
