// tls-reference CERTIFICATE KEY BYTES
//
// The least that a server on NIO can do to write over TLS: whenever a client sends something, each of the others gets
// BYTES bytes in one write, of a buffer that all share. Prints its port; one event loop. The broker's cost is compared
// with its own (../ratios.py).

import Foundation
import NIOCore
import NIOPosix
import NIOSSL

/// The connections of the one event loop.
final class Room {
    private var members: [ObjectIdentifier: ChannelHandlerContext] = [:]
    private let piece: ByteBuffer

    init(bytes: Int) {
        piece = ByteBuffer(repeating: UInt8(ascii: "x"), count: bytes)
    }

    func enter(_ context: ChannelHandlerContext) { members[ObjectIdentifier(context)] = context }
    func leave(_ context: ChannelHandlerContext) { members[ObjectIdentifier(context)] = nil }

    /// The turn's one write to each.
    func turn(of publisher: ChannelHandlerContext) {
        for context in members.values where context !== publisher {
            context.writeAndFlush(NIOAny(piece), promise: nil)
        }
    }
}

final class Member: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let room: Room

    init(_ room: Room) { self.room = room }

    func handlerAdded(context: ChannelHandlerContext) { room.enter(context) }
    func handlerRemoved(context: ChannelHandlerContext) { room.leave(context) }
    func channelRead(context: ChannelHandlerContext, data: NIOAny) { room.turn(of: context) }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

let arguments = CommandLine.arguments
guard arguments.count == 4, let bytes = Int(arguments[3]) else {
    fatalError("usage: tls-reference CERTIFICATE KEY BYTES")
}
let tls = try NIOSSLContext(
    configuration: .makeServerConfiguration(
        certificateChain: NIOSSLCertificate.fromPEMFile(arguments[1]).map { .certificate($0) },
        privateKey: .privateKey(NIOSSLPrivateKey(file: arguments[2], format: .pem))))
let loop = MultiThreadedEventLoopGroup(numberOfThreads: 1).next()
let room = try loop.submit { NIOLoopBound(Room(bytes: bytes), eventLoop: loop) }.wait()
let listener = try ServerBootstrap(group: loop)
    .serverChannelOption(.backlog, value: 1024)
    .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
    .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls))
            try channel.pipeline.syncOperations.addHandler(Member(room.value))
        }
    }
    .bind(host: "127.0.0.1", port: 0).wait()
FileHandle.standardOutput.write(Data("https://127.0.0.1:\(listener.localAddress?.port ?? 0)/\n".utf8))
try listener.closeFuture.wait()
