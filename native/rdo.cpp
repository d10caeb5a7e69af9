#include "rdo.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "activity.hpp"
#include "deflate.hpp"
#include "log2.hpp"
#include "map.hpp"
#include "near_entries.hpp"
#include "palette_order.hpp"
#include "png_format.hpp"
#include "rdo_plain.hpp"
#include "rdo_trellis.hpp"
#include "row_filter.hpp"

namespace chromapress {
namespace {

// More bits than an entry can save.
constexpr std::uint16_t kLargestExcess = 12 * kBit;

// How a map's rows are written. Where several pixels share a byte, without a filter.
struct Writing {
  Format format;
  Filtering filtering;
  [[nodiscard]] bool plain() const { return filtering == Filtering::none; }
};

struct Hardness {
  std::array<std::size_t, 2> looks;  // for near repeats; the second pass begins with what fits together already
  int parses;                        // from which costs are learned
  std::size_t depth;                 // of the search for matches
};

// Rows that are not filtered live on matches. The fewer the colours, the more positions are alike, and the longer good
// ones are looked for; but of the fewest, two maps are searched.
Hardness hardness_of(Writing writing, std::size_t colors) {
  if (!writing.plain()) return {{}, 1, 12};
  return colors > 16 && colors <= 32 ? Hardness{{2, 6}, 2, 32} : Hardness{{2, 4}, 2, 12};
}

std::vector<std::uint8_t> packed_rows(const Shaped& shaped, std::size_t width, Writing writing) {
  return pack(shaped.indices, width, shaped.palette, writing.format);
}

std::vector<std::uint8_t> filtered_rows(const Shaped& shaped, std::size_t width, Writing writing) {
  return filter_rows(packed_rows(shaped, width, writing), row_bytes(width, writing.format), writing.filtering);
}

// The sum of the weighted squared errors.
double error_of(const Pixels& pixels, const Shaped& shaped, Activity& activity) {
  std::vector<Point> points;
  for (const Rgba c : shaped.palette) points.push_back(premultiply(c));
  std::vector<float> weights(pixels.width);
  double error = 0;
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    if (i % pixels.width == 0) activity.weights(i / pixels.width, weights);
    error += static_cast<double>(weights[i % pixels.width]) *
             squared_distance(premultiply(pixels.at(i)), points[shaped.indices[i]]);
  }
  return error;
}

// A map at work, and which entries keep their colours.
struct Attempt {
  Shaped map;
  std::array<bool, kMaxColors> keeps;
  Writing writing;
};

// `order[position]` is the entry that goes there.
void reorder(Attempt& attempt, std::span<const std::uint8_t> order) {
  const Attempt before = attempt;
  std::array<std::uint8_t, kMaxColors> position{};
  for (std::size_t i = 0; i < order.size(); ++i) {
    position[order[i]] = static_cast<std::uint8_t>(i);
    attempt.map.palette[i] = before.map.palette[order[i]];
    attempt.keeps[i] = before.keeps[order[i]];
  }
  for (std::uint8_t& i : attempt.map.indices) i = position[i];
}

// An order in which neighbours have near indices.
std::vector<std::uint8_t> smooth_order(const Shaped& shaped, std::size_t width) {
  const std::size_t n = shaped.palette.size();
  return palette_order(Neighbors(shaped.indices, width, n, 1), 0, std::min(16 * n * n, 8 * shaped.indices.size()));
}

// For unfiltered rows: an order in which what is most often at the sides is 0, as the filter's byte between them is.
std::vector<std::uint8_t> plain_order(const Shaped& shaped, std::size_t width) {
  std::vector<std::size_t> counts(shaped.palette.size(), 0);
  for (std::size_t at = 0; at < shaped.indices.size(); at += width) {
    ++counts[shaped.indices[at]];
    ++counts[shaped.indices[at + width - 1]];
  }
  std::vector<std::uint8_t> order(counts.size());
  std::iota(order.begin(), order.end(), std::uint8_t{0});
  std::swap(order[0], order[static_cast<std::size_t>(std::max_element(counts.begin(), counts.end()) - counts.begin())]);
  return order;
}

// Entries move to the mean of their pixels.
void move_centres(const Pixels& pixels, Attempt& attempt) {
  Shaped& shaped = attempt.map;
  std::array<Point, kMaxColors> sums{};
  std::array<double, kMaxColors> counts{};
  for (std::size_t i = 0; i < shaped.indices.size(); ++i) {
    const Point p = premultiply(pixels.at(i));
    for (std::size_t d = 0; d < 4; ++d) sums[shaped.indices[i]][d] += p[d];
    counts[shaped.indices[i]] += 1;
  }
  for (std::size_t c = 0; c < shaped.palette.size(); ++c) {
    if (counts[c] == 0 || attempt.keeps[c]) continue;
    Point mean = sums[c];
    for (double& v : mean) v /= counts[c];
    if (kind_of(shaped.palette[c]) == Kind::opaque) mean[3] = 255;
    const Rgba color = to_straight(mean);
    if (kind_of(color) == kind_of(shaped.palette[c])) shaped.palette[c] = color;
  }
}

// The rows of a map, band by band, so that memory is bounded and costs are local.
class Bands {
 public:
  Bands(std::span<const std::uint8_t> rows, std::size_t stride, const Hardness& hardness)
      : rows_(rows),
        bytes_(std::max<std::size_t>(1, kBand / stride) * stride),
        parses_(hardness.parses),
        finder_(rows, hardness.depth) {}

  /// Learns from the next one what codes cost; false if there is none.
  bool next() {
    first_ = end_;
    end_ = std::min(first_ + bytes_, rows_.size());
    if (first_ == end_) return false;
    finder_.find(end_ - first_, matches_);
    const std::size_t learned = std::min(end_ - first_, kBand);
    costs_ = first_costs(rows_.subspan(first_, learned));
    CodeCounts counts;
    for (int i = 0; i < parses_; ++i) {
      tokens_.clear();
      parse(rows_, first_, first_ + learned, matches_, first_, costs_, tokens_);
      counts = {};
      for (const Token& token : tokens_) counts.add(token);
      costs_ = costs_of(counts, false);
    }
    double bits = 0;
    for (const Token& t : tokens_) {
      bits += t.length == 0 ? costs_.literal[t.distance]
                            : costs_.length[t.length] + costs_.distance[code_of_distance(t.distance).code];
    }
    bits_ += bits / kBit * static_cast<double>(end_ - first_) / static_cast<double>(learned);
    return true;
  }

  [[nodiscard]] std::size_t first() const { return first_; }
  [[nodiscard]] std::size_t end() const { return end_; }
  [[nodiscard]] const Matches& matches() const { return matches_; }
  [[nodiscard]] const Costs& costs() const { return costs_; }
  /// What the bands until now take.
  [[nodiscard]] double bits() const { return bits_; }

 private:
  static constexpr std::size_t kBand = std::size_t{1} << 20;
  std::span<const std::uint8_t> rows_;
  std::size_t bytes_;  // of a band
  int parses_;
  MatchFinder finder_;
  std::size_t first_ = 0, end_ = 0;
  Matches matches_;
  std::vector<Token> tokens_;
  Costs costs_;
  double bits_ = 0;
};

struct Searched {
  double bits_before;
  double after;  // bits and the excess
};

// Replaces the map by a cheaper one. `unit`: the excess of a squared level. `begin` makes what decides, for rows of so
// many bytes.
template <typename Begin>
Searched search(const Pixels& pixels, Shaped& shaped, Writing writing, Activity& activity, double unit,
                const Hardness& hardness, Begin begin) {
  const std::size_t w = pixels.width, row = row_bytes(w, writing.format), stride = row + 1;
  const std::size_t per_byte = 8 / writing.format.depth;
  // The map before, from which bits' costs and matches are learned, and which is replaced row by row.
  const std::vector<std::uint8_t> before = filtered_rows(shaped, w, writing);
  std::vector<std::uint8_t> rows = before, packed = packed_rows(shaped, w, writing);
  const std::vector<std::uint8_t> nearest = map_pixels(pixels, shaped.palette, ColorSpace::srgb, 0.0);
  const NearEntries entries(shaped.palette);
  auto searched = begin(row, rows);
  constexpr std::size_t kColumns = decltype(searched)::kColumns;
  std::vector<Choices> choices, in_byte;
  std::vector<float> weights(w);
  Bands bands(before, stride, hardness);
  double after = 0;
  while (bands.next()) {
    searched.set_costs(bands.costs());
    for (std::size_t y = bands.first() / stride; y < bands.end() / stride; ++y) {
      activity.weights(y, weights);
      for (std::size_t left = 0; left < row; left += kColumns) {
        choices.clear();
        for (std::size_t byte = left; byte < std::min(row, left + kColumns); ++byte) {
          in_byte.clear();
          for (std::size_t x = byte * per_byte; x < std::min(w, (byte + 1) * per_byte); ++x) {
            const auto weight = static_cast<float>(static_cast<double>(weights[x]) * unit);
            in_byte.push_back(entries.of(pixels.at(y * w + x), nearest[y * w + x], weight, kLargestExcess));
          }
          choices.push_back(per_byte == 1 ? in_byte[0] : together(in_byte, writing.format.depth));
        }
        after += searched.decide(y, left, choices, bands.matches(), bands.first(), packed);
      }
    }
  }
  shaped.indices = unpack(packed, w, writing.format);
  return {bands.bits(), after / kBit};
}

}  // namespace

Shaped map_rate_distortion(const Pixels& pixels, std::span<const Rgba> palette, std::size_t fixed, double strength) {
  if (!(strength >= 0) || strength > 100) throw std::invalid_argument("rdo must be from 0 to 100");
  if (fixed > palette.size()) throw std::invalid_argument("there are fewer entries than are fixed");
  // Adaptive filters would have to be found again by the encoder.
  constexpr Format kByteEach{ColorType::indexed, 8};
  Attempt attempt{.map = {{palette.begin(), palette.end()}, map_pixels(pixels, palette, ColorSpace::srgb, 0.0)},
                  .keeps = {},
                  .writing = {kByteEach, Filtering::none}};
  if (strength == 0) return attempt.map;
  Activity activity(pixels);
  const double error = error_of(pixels, attempt.map, activity);
  const double lambda = strength * error / static_cast<double>(pixels.size());
  if (lambda == 0) return attempt.map;
  for (std::size_t i = 0; i < palette.size(); ++i) {
    attempt.keeps[i] = i < fixed || kind_of(palette[i]) == Kind::transparent;
  }

  reorder(attempt, smooth_order(attempt.map, pixels.width));
  std::size_t least = std::numeric_limits<std::size_t>::max();
  for (const Filtering f : {Filtering::none, Filtering::sub, Filtering::paeth}) {
    const std::size_t size = deflate(filtered_rows(attempt.map, pixels.width, {kByteEach, f}), 1).size();
    if (size < least) least = size, attempt.writing.filtering = f;
  }

  Shaped best;
  double least_cost = std::numeric_limits<double>::infinity();
  const auto consider = [&](const Shaped& map, double bits) {
    const double cost = bits + error_of(pixels, map, activity) / lambda;
    if (cost < least_cost) least_cost = cost, best = map;
  };
  // Returns the cost, without the error of the nearest mapping.
  const auto pass = [&](Attempt& a, std::size_t number) {
    const Shaped before = a.map;
    const Hardness hardness = hardness_of(a.writing, palette.size());
    const auto searched = [&](auto begin) {
      return search(pixels, a.map, a.writing, activity, kBit / lambda, hardness, begin);
    };
    using Bytes = std::vector<std::uint8_t>;
    const Searched cost =
        a.writing.plain()
            ? searched([&](std::size_t row, Bytes& rows) { return PlainRows(row, rows, hardness.looks[number]); })
            : searched([](std::size_t row, Bytes& rows) { return Trellis(row, rows); });
    consider(before, cost.bits_before);
    move_centres(pixels, a);
    return cost.after;
  };
  std::vector<Attempt> attempts = {attempt};
  const Format packed = indexed_format(palette.size());
  if (packed != kByteEach) {
    attempts.push_back(attempt);
    attempts[1].writing = {packed, Filtering::none};
  }
  // Which of the two becomes smaller is not to be seen before.
  double cost = std::numeric_limits<double>::infinity();
  for (Attempt& a : attempts) {
    if (a.writing.plain()) reorder(a, plain_order(a.map, pixels.width));
    const double own = pass(a, 0);
    if (own < cost) cost = own, attempt = a;
  }
  pass(attempt, 1);
  const std::vector<std::uint8_t> rows = filtered_rows(attempt.map, pixels.width, attempt.writing);
  Bands bands(rows, row_bytes(pixels.width, attempt.writing.format) + 1, hardness_of(attempt.writing, palette.size()));
  while (bands.next()) {
  }
  consider(attempt.map, bands.bits());
  return best;
}

}  // namespace chromapress
