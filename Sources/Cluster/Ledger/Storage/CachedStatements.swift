import GRDB

// To prepare a statement takes longer than to run it, most of the time: the ledger's are prepared once. They take the place of
// GRDB's of the same names, which prepare anew at every call. What is read bit by bit (cursors) is not among them: a statement
// that is in use cannot be used again.

extension Database {
    /// Any number of statements, prepared anew.
    func execute(sql: String) throws { try execute(literal: SQL(sql: sql)) }

    /// One statement.
    func execute(sql: String, arguments: StatementArguments) throws {
        try cachedStatement(sql: sql).execute(arguments: arguments)
    }
}

extension Row {
    static func fetchOne(_ db: Database, sql: String) throws -> Row? {
        try fetchOne(db.cachedStatement(sql: sql))
    }

    static func fetchOne(_ db: Database, sql: String, arguments: StatementArguments) throws -> Row? {
        try fetchOne(db.cachedStatement(sql: sql), arguments: arguments)
    }

    static func fetchAll(_ db: Database, sql: String) throws -> [Row] {
        try fetchAll(db.cachedStatement(sql: sql))
    }

    static func fetchAll(_ db: Database, sql: String, arguments: StatementArguments) throws -> [Row] {
        try fetchAll(db.cachedStatement(sql: sql), arguments: arguments)
    }
}

extension DatabaseValueConvertible {
    static func fetchOne(_ db: Database, sql: String) throws -> Self? {
        try fetchOne(db.cachedStatement(sql: sql))
    }

    static func fetchOne(_ db: Database, sql: String, arguments: StatementArguments) throws -> Self? {
        try fetchOne(db.cachedStatement(sql: sql), arguments: arguments)
    }

    static func fetchAll(_ db: Database, sql: String) throws -> [Self] {
        try fetchAll(db.cachedStatement(sql: sql))
    }

    static func fetchAll(_ db: Database, sql: String, arguments: StatementArguments) throws -> [Self] {
        try fetchAll(db.cachedStatement(sql: sql), arguments: arguments)
    }
}

// Values of a known layout are read without a detour in GRDB: these are theirs.
extension DatabaseValueConvertible where Self: StatementColumnConvertible {
    static func fetchOne(_ db: Database, sql: String) throws -> Self? {
        try fetchOne(db.cachedStatement(sql: sql))
    }

    static func fetchOne(_ db: Database, sql: String, arguments: StatementArguments) throws -> Self? {
        try fetchOne(db.cachedStatement(sql: sql), arguments: arguments)
    }

    static func fetchAll(_ db: Database, sql: String) throws -> [Self] {
        try fetchAll(db.cachedStatement(sql: sql))
    }

    static func fetchAll(_ db: Database, sql: String, arguments: StatementArguments) throws -> [Self] {
        try fetchAll(db.cachedStatement(sql: sql), arguments: arguments)
    }
}
