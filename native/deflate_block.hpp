// DEFLATE's blocks with dynamic Huffman codes (RFC 1951, section 3.2.7): where they end, and their bits.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "deflate_parse.hpp"

namespace chromapress {

/// Writes bits from the lowest to the highest, as DEFLATE counts them.
class BitWriter {
 public:
  explicit BitWriter(std::vector<std::uint8_t>& out) : out_(out) {}
  void put(std::uint32_t bits, unsigned count);
  /// Fills the last byte with zeros.
  void finish();

 private:
  void flush();
  std::vector<std::uint8_t>& out_;
  std::uint64_t pending_ = 0;
  unsigned count_ = 0;
};

/// The numbers of tokens at which the blocks end that make the whole shortest, by the entropy of their codes, of about
/// so many places. Neighbours that are shorter as one are joined.
std::vector<std::size_t> block_ends(std::span<const Token> tokens, std::size_t places);
/// How long blocks with these ends are. `short_headers`: with codes that cost less there.
std::size_t bits_of(std::span<const Token> tokens, std::span<const std::size_t> ends, bool short_headers);

void write_block(BitWriter& out, std::span<const Token> tokens, bool short_header, bool last);

}  // namespace chromapress
