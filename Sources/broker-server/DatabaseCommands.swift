import ArgumentParser
import BrokerCore
import BrokerStore
import Foundation

/// Which database a command is about.
struct DatabaseOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Database file; by default the one that 'serve' takes.", valueName: "file"))
    var database: String?

    @Option(help: ArgumentHelp("Configuration file (YAML) that names it.", valueName: "file"))
    var config: String?

    /// The settings, with the database that is named here; says what is wrong with them, and ends.
    func settings() throws -> Settings {
        let flags = database.map { [(key: "database", values: [$0])] } ?? []
        do {
            return try ConfigurationSources(file: config, flags: flags).load()
        } catch let error as SettingError {
            throw fail("--\(error)", ExitStatus.usage)
        } catch {
            throw fail("\(error)", ExitStatus.configuration)
        }
    }

    /// The file's path.
    func path() throws -> String {
        guard case .file(let path) = try settings().database else {
            throw fail("--database: this takes a file, not :memory:", ExitStatus.usage)
        }
        return path
    }
}

/// `broker-server backup FILE`: a copy of the database, also while the broker runs.
struct BackupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup", abstract: "Write a copy of the database to a file, also while the broker runs.",
        discussion: "To go back to it, stop the broker and start it with the copy as its --database.")

    @Argument(help: "The file to write; it must not exist.")
    var file: String

    @OptionGroup var options: DatabaseOptions

    func run() throws {
        let path = try options.path()
        let target = URL(filePath: file).path
        if let broker = ControlClient(database: path) {
            switch broker.run("backup \(target)") {
            case .success: break
            case .failure(let error): throw fail("\(error)", ExitStatus.cannotCreate)
            }
        } else {
            do {
                try OfflineDatabase(path: path).backUp(to: target)
            } catch {
                throw fail("\(error)", ExitStatus.cannotCreate)
            }
        }
        writeToStandardOutput("\(file): a copy of \(path)\n")
    }
}

/// `broker-server check`: is the database sound, and what is in it?
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Look for damage in the database, and count what is in it.",
        discussion: "Works beside a running broker. The exit status is 1 when there is damage.")

    @OptionGroup var options: DatabaseOptions

    func run() throws {
        let path = try options.path()
        let report: String
        if let broker = ControlClient(database: path) {
            switch broker.run("check") {
            case .success(let text): report = text
            case .failure(let error): throw fail("\(error)", ExitStatus.cannotCreate)
            }
        } else {
            do {
                report = try OfflineDatabase(path: path).check().description
            } catch {
                throw fail("\(error)", ExitStatus.cannotCreate)
            }
        }
        writeToStandardOutput("\(path)\n\(report)\n")
        if report.contains("DAMAGED") { throw ExitCode(1) }
    }
}

/// `broker-server migrate`: brings the database up to date without starting the broker.
struct MigrateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate", abstract: "Bring the database's schema up to date, as 'serve' does when it starts.",
        discussion: "With --check nothing is changed; the exit status is 1 when there is something to do.")

    @Flag(help: "Only say what there is to do.")
    var check = false

    @OptionGroup var options: DatabaseOptions

    func run() throws {
        let path = try options.path()
        do {
            let database = try OfflineDatabase(path: path)
            let missing = try database.missingMigrations()
            guard !missing.isEmpty else { return writeToStandardOutput("\(path): up to date\n") }
            if !check { try database.migrate() }
            let what = check ? "to be applied" : "applied"
            writeToStandardOutput(missing.map { "\(path): \(what): \($0)\n" }.joined())
        } catch {
            throw fail("\(error)", ExitStatus.cannotCreate)
        }
        if check { throw ExitCode(1) }
    }
}
