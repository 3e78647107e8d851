import Crypto
import Foundation

/// Where the keys lie and what they are sealed with.
package struct KeyOptions: Sendable {
    /// nil: `keys`, below the data directory.
    package var folder: URL?
    /// nil: the keys lie in clear, readable for whoever reads the folder.
    package var master: SymmetricKey?

    package init(folder: URL? = nil, master: SymmetricKey? = nil) {
        self.folder = folder
        self.master = master
    }
}
