#include "nearest.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>
#include <limits>
#include <utility>

#include "dispatch.hpp"

namespace chromapress {
namespace {

constexpr std::size_t kFloatLanes = 8;
constexpr std::size_t kDoubleLanes = 4;
using Float8 = float __attribute__((vector_size(32)));
using Int8x32 = std::int32_t __attribute__((vector_size(32)));
using Double4 = double __attribute__((vector_size(32)));
using Int4x64 = std::int64_t __attribute__((vector_size(32)));
constexpr Int8x32 kLanes = {0, 1, 2, 3, 4, 5, 6, 7};

// The centres that may be the nearest of something, in ascending order of their number. In single
// precision, which only rules out; the double-precision centres decide.
struct Candidates {
  std::size_t size = 0;
  std::array<std::int32_t, kMaxColors> id;
  alignas(32) std::array<std::array<float, kMaxColors>, 4> at;
  alignas(32) std::array<float, kMaxColors> offset;

  // Fills the last vector with centres that are nearest to nothing.
  void pad() {
    for (std::size_t i = size; i % kFloatLanes != 0; ++i) {
      for (auto& column : at) column[i] = 0;
      offset[i] = std::numeric_limits<float>::infinity();
    }
  }
};

// By reference, since returning a 32-byte vector has another ABI with AVX than without.
template <typename Vector, typename T>
inline void load(Vector& v, const T* p) {
  std::memcpy(&v, p, sizeof v);
}

// Where about the least of some numbers is, none of them below 0, seen vector by vector: their order is that of their
// bits, of which the last eight make room for the position.
class Least {
 public:
  CHROMAPRESS_INLINE void see(const Float8& here) {
    constexpr std::int32_t kPlaces = 0xff;
    static_assert(kMaxColors == kPlaces + 1);
    Int8x32 bits;
    std::memcpy(&bits, &here, sizeof bits);
    bits = (bits & ~kPlaces) | position_;
    least_ = bits < least_ ? bits : least_;
    position_ += static_cast<std::int32_t>(kFloatLanes);
  }
  [[nodiscard]] CHROMAPRESS_INLINE std::size_t place() const {
    Int8x32 least = least_;
    const auto halve = [&least](const Int8x32& other) { least = other < least ? other : least; };
    halve(__builtin_shufflevector(least, least, 4, 5, 6, 7, 0, 1, 2, 3));
    halve(__builtin_shufflevector(least, least, 2, 3, 0, 1, 6, 7, 4, 5));
    halve(__builtin_shufflevector(least, least, 1, 0, 3, 2, 5, 4, 7, 6));
    return static_cast<std::size_t>(least[0] & 0xff);
  }

 private:
  Int8x32 least_ = Int8x32{} + std::numeric_limits<std::int32_t>::max();
  Int8x32 position_ = kLanes;
};

// The positions of the bits that are set, for each byte, in ascending order from the lowest byte on.
constexpr std::array<std::uint64_t, 256> kPositions = [] {
  std::array<std::uint64_t, 256> positions{};
  for (std::size_t bits = 0; bits < positions.size(); ++bits) {
    unsigned shift = 0;
    for (std::uint64_t position = 0; position < 8; ++position) {
      if ((bits >> position & 1) == 0) continue;
      positions[bits] |= position << shift;
      shift += 8;
    }
  }
  return positions;
}();

// Appends the numbers of the lanes that are kept to what has room for all; `first` is that of the first lane.
CHROMAPRESS_INLINE void append(const Int8x32& keep, std::size_t first, std::uint8_t* kept, std::size_t& size) {
  constexpr std::uint64_t kEach = 0x0101010101010101;
  Int8x32 mask = keep & Int8x32{1, 2, 4, 8, 16, 32, 64, 128};
  mask |= __builtin_shufflevector(mask, mask, 4, 5, 6, 7, 0, 1, 2, 3);
  mask |= __builtin_shufflevector(mask, mask, 2, 3, 0, 1, 6, 7, 4, 5);
  mask |= __builtin_shufflevector(mask, mask, 1, 0, 3, 2, 5, 4, 7, 6);
  const auto bits = static_cast<std::uint32_t>(mask[0]);
  const std::uint64_t positions = kPositions[bits] + first * kEach;
  std::memcpy(kept + size, &positions, sizeof positions);
  size += static_cast<std::size_t>(std::popcount(bits));
}

// Keeps the candidates that some point of the box may be nearest to. With m the middle of the box, h its half extents
// and c* the candidate nearest to m, any x = m + t in the box has
//   |x - c|^2 - |x - c*|^2 = |m - c|^2 - |m - c*|^2 - 2 t (c - c*) >= |m - c|^2 - |m - c*|^2 - 2 sum h |c - c*|,
// so that c is out where the right side is above the rounding error of single precision.
//
// With `runner_up`, those are kept that may be the nearest or the second: only what is out against the two candidates
// nearest to m is out.
template <std::size_t D>
CHROMAPRESS_INLINE std::size_t rule_out_in(const Box& box, const Candidates& from, bool runner_up, std::uint8_t* kept) {
  std::array<float, D> middle, half;
  for (std::size_t d = 0; d < D; ++d) {
    middle[d] = static_cast<float>(0.5 * (box.lo[d] + box.hi[d]));
    half[d] = static_cast<float>(0.5 * (box.hi[d] - box.lo[d]) * 1.00001 + 1e-4);
  }
  alignas(32) std::array<float, kMaxColors> distance;
  Least least;
  for (std::size_t i = 0; i < from.size; i += kFloatLanes) {
    Float8 sum, column;
    load(sum, &from.offset[i]);
    for (std::size_t d = 0; d < D; ++d) {
      load(column, &from.at[d][i]);
      const Float8 delta = column - middle[d];
      sum += delta * delta;
    }
    std::memcpy(&distance[i], &sum, sizeof sum);
    least.see(sum);
  }
  const std::size_t best = least.place();
  std::size_t rival = best;
  if (runner_up && from.size > 1) {
    const float nearest = std::exchange(distance[best], std::numeric_limits<float>::infinity());
    Least others;
    for (std::size_t i = 0; i < from.size; i += kFloatLanes) {
      Float8 here;
      load(here, &distance[i]);
      others.see(here);
    }
    rival = others.place();
    distance[best] = nearest;
  }
  std::size_t size = 0;
  for (std::size_t i = 0; i < from.size; i += kFloatLanes) {
    Float8 reach{}, rival_reach{}, own, column;
    for (std::size_t d = 0; d < D; ++d) {
      load(column, &from.at[d][i]);
      const Float8 delta = column - from.at[d][best];
      reach += half[d] * (delta < 0.0f ? -delta : delta);
      if (!runner_up) continue;
      const Float8 rival_delta = column - from.at[d][rival];
      rival_reach += half[d] * (rival_delta < 0.0f ? -rival_delta : rival_delta);
    }
    load(own, &distance[i]);
    const Float8 margin = 4e-5f * (own + 1.0f);
    Int8x32 keep = own - distance[best] - (reach + reach) <= margin;
    if (runner_up) keep |= own - distance[rival] - (rival_reach + rival_reach) <= margin;
    if (from.size - i < kFloatLanes) keep &= kLanes < static_cast<std::int32_t>(from.size - i);
    append(keep, i, kept, size);
  }
  return size;
}

// Opaque colours differ in three coordinates only.
CHROMAPRESS_DISPATCH
std::size_t rule_out(const Box& box, bool opaque, const Candidates& from, std::uint8_t* kept) {
  return opaque ? rule_out_in<3>(box, from, false, kept) : rule_out_in<4>(box, from, false, kept);
}

CHROMAPRESS_DISPATCH
std::size_t rule_out_but_two(const Box& box, bool opaque, const Candidates& from, std::uint8_t* kept) {
  return opaque ? rule_out_in<3>(box, from, true, kept) : rule_out_in<4>(box, from, true, kept);
}

using Columns = std::array<UnsetVector<double>, 4>;

// Some colours to be labelled, of those up to `limit` that the same thread labels in ascending order: what is written
// behind `end` is written again.
struct Run {
  std::size_t begin, end, limit;

  CHROMAPRESS_INLINE void write(std::uint64_t eight, std::size_t at, std::uint8_t* labels) const {
    if (at + sizeof eight <= limit) {
      std::memcpy(labels + at, &eight, sizeof eight);
    } else {
      for (; at < end; ++at, eight >>= 8) labels[at] = static_cast<std::uint8_t>(eight);
    }
  }
};

template <std::size_t D>
CHROMAPRESS_INLINE void label_in(const Columns& columns, const Run& run, std::span<const Centre> centres,
                                 const std::uint8_t* ids, std::size_t count, std::uint8_t* labels) {
  static_assert(2 * kDoubleLanes == sizeof(std::uint64_t) && std::endian::native == std::endian::little);
  for (std::size_t i = run.begin; i < run.end; i += 2 * kDoubleLanes) {
    std::array<std::array<Double4, D>, 2> x;
#pragma GCC unroll 4
    for (std::size_t d = 0; d < D; ++d) {
      load(x[0][d], &columns[d][i]);
      load(x[1][d], &columns[d][i + kDoubleLanes]);
    }
    std::array<Double4, 2> least;
    least[0] = least[1] = Double4{} + std::numeric_limits<double>::infinity();
    std::array<Int4x64, 2> nearest{};
    for (std::size_t c = 0; c < count; ++c) {
      const Centre& centre = centres[ids[c]];
#pragma GCC unroll 2
      for (std::size_t half = 0; half < 2; ++half) {
        Double4 distance = (x[half][0] - centre.at[0]) * (x[half][0] - centre.at[0]);
#pragma GCC unroll 4
        for (std::size_t d = 1; d < D; ++d) distance += (x[half][d] - centre.at[d]) * (x[half][d] - centre.at[d]);
        distance += centre.offset;
        const Int4x64 closer = distance < least[half];
        least[half] = closer ? distance : least[half];
        nearest[half] = closer ? Int4x64{} + ids[c] : nearest[half];
      }
    }
    Int4x64 eight = nearest[0] << Int4x64{0, 8, 16, 24} | nearest[1] << Int4x64{32, 40, 48, 56};
    eight |= __builtin_shufflevector(eight, eight, 2, 3, 0, 1);
    run.write(static_cast<std::uint64_t>(eight[0] | eight[1]), i, labels);
  }
}

// The nearest candidate of each of some points: labels[i] for columns[.][i].
CHROMAPRESS_DISPATCH
void label(const Columns& columns, const Run& run, bool opaque, std::span<const Centre> centres,
           const std::uint8_t* ids, std::size_t count, std::uint8_t* labels) {
  if (opaque) {
    label_in<3>(columns, run, centres, ids, count, labels);
  } else {
    label_in<4>(columns, run, centres, ids, count, labels);
  }
}

template <std::size_t D>
CHROMAPRESS_INLINE void label_points_in(const std::array<UnsetVector<float>, 4>& columns, const Run& run,
                                        const Candidates& candidates, std::uint8_t* labels) {
  static_assert(kFloatLanes == sizeof(std::uint64_t));
  for (std::size_t i = run.begin; i < run.end; i += 2 * kFloatLanes) {
    std::array<std::array<Float8, D>, 2> x;
#pragma GCC unroll 4
    for (std::size_t d = 0; d < D; ++d) {
      load(x[0][d], &columns[d][i]);
      load(x[1][d], &columns[d][i + kFloatLanes]);
    }
    std::array<Float8, 2> least;
    least[0] = least[1] = Float8{} + std::numeric_limits<float>::infinity();
    std::array<Int8x32, 2> nearest{};
    for (std::size_t c = 0; c < candidates.size; ++c) {
#pragma GCC unroll 2
      for (std::size_t half = 0; half < 2; ++half) {
        Float8 distance = (x[half][0] - candidates.at[0][c]) * (x[half][0] - candidates.at[0][c]);
#pragma GCC unroll 4
        for (std::size_t d = 1; d < D; ++d) {
          distance += (x[half][d] - candidates.at[d][c]) * (x[half][d] - candidates.at[d][c]);
        }
        const Int8x32 closer = distance < least[half];
        least[half] = closer ? distance : least[half];
        nearest[half] = closer ? Int8x32{} + candidates.id[c] : nearest[half];
      }
    }
    // Four of each half in the low bytes of four lanes, and the other four.
    Int8x32 fours = nearest[0] << Int8x32{0, 8, 16, 24, 0, 8, 16, 24};
    Int8x32 others = nearest[1] << Int8x32{0, 8, 16, 24, 0, 8, 16, 24};
    fours |= __builtin_shufflevector(fours, fours, 1, 0, 3, 2, 5, 4, 7, 6);
    others |= __builtin_shufflevector(others, others, 1, 0, 3, 2, 5, 4, 7, 6);
    fours = __builtin_shufflevector(fours, others, 0, 4, 8, 12, 0, 4, 8, 12) |
            __builtin_shufflevector(fours, others, 2, 6, 10, 14, 2, 6, 10, 14);
    std::array<std::uint64_t, 2> eights;
    std::memcpy(eights.data(), &fours, sizeof eights);
    run.write(eights[0], i, labels);
    if (i + kFloatLanes < run.end) run.write(eights[1], i + kFloatLanes, labels);
  }
}

// As label(), in single precision; centres have no offset here.
CHROMAPRESS_DISPATCH
void label_points(const std::array<UnsetVector<float>, 4>& columns, const Run& run, bool opaque,
                  const Candidates& candidates, std::uint8_t* labels) {
  if (opaque) {
    label_points_in<3>(columns, run, candidates, labels);
  } else {
    label_points_in<4>(columns, run, candidates, labels);
  }
}

template <std::size_t D>
CHROMAPRESS_INLINE void least_of_others_in(const Columns& columns, std::size_t begin, std::size_t end,
                                           std::span<const Centre> centres, const std::uint8_t* ids, std::size_t count,
                                           const std::uint8_t* own, double* out) {
  for (std::size_t i = begin; i < end; i += kDoubleLanes) {
    std::array<Double4, D> x;
    for (std::size_t d = 0; d < D; ++d) load(x[d], &columns[d][i]);
    Int4x64 mine{};
    const std::size_t lanes = std::min(kDoubleLanes, end - i);
    for (std::size_t lane = 0; lane < lanes; ++lane) mine[lane] = own[i + lane];
    Double4 least = Double4{} + std::numeric_limits<double>::infinity();
    for (std::size_t c = 0; c < count; ++c) {
      const Centre& centre = centres[ids[c]];
      Double4 distance{};
      for (std::size_t d = 0; d < D; ++d) distance += (x[d] - centre.at[d]) * (x[d] - centre.at[d]);
      distance += centre.offset;
      const Int4x64 closer = (distance < least) & (mine != static_cast<std::int64_t>(ids[c]));
      least = closer ? distance : least;
    }
    for (std::size_t lane = 0; lane < lanes; ++lane) out[i + lane] = least[lane];
  }
}

// The least distance of each of some points to a candidate that is not its own. `opaque`: points and candidates are.
CHROMAPRESS_DISPATCH
void least_of_others(const Columns& columns, std::size_t begin, std::size_t end, bool opaque,
                     std::span<const Centre> centres, const std::uint8_t* ids, std::size_t count,
                     const std::uint8_t* own, double* out) {
  if (opaque) {
    least_of_others_in<3>(columns, begin, end, centres, ids, count, own, out);
  } else {
    least_of_others_in<4>(columns, begin, end, centres, ids, count, own, out);
  }
}

// The centres that a colour of a kind may go to.
void take_visible(std::span<const Centre> centres, Kind kind, Candidates& all) {
  all.size = 0;
  for (std::size_t c = 0; c < centres.size(); ++c) {
    if (!may_become(kind, centres[c].kind)) continue;
    all.id[all.size] = static_cast<std::int32_t>(c);
    for (std::size_t d = 0; d < 4; ++d) all.at[d][all.size] = static_cast<float>(centres[c].at[d]);
    all.offset[all.size++] = static_cast<float>(centres[c].offset);
  }
  assert(all.size > 0);
  all.pad();
}

// The first to.size of `kept`, positions in `from`.
void take_kept(const Candidates& from, const std::uint8_t* kept, Candidates& to) {
  for (std::size_t i = 0; i < to.size; ++i) {
    to.id[i] = from.id[kept[i]];
    for (std::size_t d = 0; d < 4; ++d) to.at[d][i] = from.at[d][kept[i]];
    to.offset[i] = from.offset[kept[i]];
  }
  to.pad();
}

// visit(g, opaque, candidates) for each of some groups.
template <typename Visit>
void for_each_group(std::span<const Box> groups, std::span<const Box, kKinds> kinds, std::span<const Centre> centres,
                    GroupRange range, Visit visit) {
  Candidates all{}, of_group{};
  std::array<std::uint8_t, kMaxColors> kept;
  for (std::size_t k = 0; k < kKinds; ++k) {
    const auto kind = static_cast<Kind>(k);
    const std::size_t begin = std::max<std::size_t>(kinds[k].begin, range.begin);
    const std::size_t end = std::min<std::size_t>(kinds[k].end, range.end);
    if (begin >= end) continue;
    take_visible(centres, kind, all);
    for (std::size_t g = begin; g < end; ++g) {
      of_group.size = rule_out(groups[g], kind == Kind::opaque, all, kept.data());
      take_kept(all, kept.data(), of_group);
      visit(g, kind == Kind::opaque, of_group);
    }
  }
}

// Walks the tree: `whole(box, first_color, last_color, centre)` where one centre is left for a box, else
// `single(begin, end, opaque, ids, count)` for the colours of a leaf.
template <typename Whole, typename Single>
void walk(const BoxTree& tree, std::span<const Centre> centres, GroupRange range, Whole whole, Single single) {
  std::array<std::uint8_t, kMaxColors> kept;
  for_each_group(tree.groups, tree.kinds, centres, range, [&](std::size_t g, bool opaque, const Candidates& of_group) {
    const Box& group = tree.groups[g];
    if (of_group.size == 1) {
      whole(group, tree.leaves[group.begin].begin, tree.leaves[group.end - 1].end,
            static_cast<std::uint8_t>(of_group.id[0]));
      return;
    }
    for (std::size_t l = group.begin; l < group.end; ++l) {
      const Box& leaf = tree.leaves[l];
      const std::size_t count = rule_out(leaf, opaque, of_group, kept.data());
      for (std::size_t i = 0; i < count; ++i) kept[i] = static_cast<std::uint8_t>(of_group.id[kept[i]]);
      if (count == 1) {
        whole(leaf, leaf.begin, leaf.end, kept[0]);
      } else {
        single(leaf.begin, leaf.end, opaque, kept.data(), count);
      }
    }
  });
}

// Of the colours of a part, where the last ends.
std::size_t end_of_part(const BoxTree& tree, std::size_t part) {
  const GroupRange& groups = tree.parts[part];
  return groups.begin == groups.end ? 0 : tree.leaves[tree.groups[groups.end - 1].end - 1].end;
}

}  // namespace

Point best_place(Kind kind, const Totals& totals) {
  if (kind == Kind::transparent) return {};
  Point mean = totals.mean();
  if (kind == Kind::opaque) mean[3] = 255;
  return mean;
}

Clusters nearest_clusters(const BoxTree& tree, std::span<const Centre> centres) {
  UnsetVector<std::uint8_t> labels(tree.size());
  std::vector<std::vector<Totals>> totals(tree.parts.size());
  (*tree.team)(tree.parts.size(), [&](std::size_t part) {
    const std::size_t limit = end_of_part(tree, part);
    std::vector<Totals>& sums = totals[part];
    sums.resize(centres.size());
    walk(
        tree, centres, tree.parts[part],
        [&](const Box& box, std::size_t begin, std::size_t end, std::uint8_t centre) {
          std::memset(&labels[begin], centre, end - begin);
          sums[centre].add(box.totals);
        },
        [&](std::size_t begin, std::size_t end, bool opaque, const std::uint8_t* ids, std::size_t count) {
          label(tree.x, {begin, end, limit}, opaque, centres, ids, count, labels.data());
          for (std::size_t i = begin; i < end; ++i) sums[labels[i]].add(tree.weight[i], tree.point(i));
        });
  });
  for (std::size_t part = 1; part < totals.size(); ++part) {
    for (std::size_t j = 0; j < centres.size(); ++j) totals[0][j].add(totals[part][j]);
  }
  return {std::move(labels), std::move(totals[0])};
}

UnsetVector<std::uint8_t> nearest_labels(const BoxTree& tree, std::span<const Centre> centres) {
  UnsetVector<std::uint8_t> labels(tree.size());
  (*tree.team)(tree.parts.size(), [&](std::size_t part) {
    const std::size_t limit = end_of_part(tree, part);
    walk(
        tree, centres, tree.parts[part],
        [&](const Box&, std::size_t begin, std::size_t end, std::uint8_t centre) {
          std::memset(&labels[begin], centre, end - begin);
        },
        [&](std::size_t begin, std::size_t end, bool opaque, const std::uint8_t* ids, std::size_t count) {
          label(tree.x, {begin, end, limit}, opaque, centres, ids, count, labels.data());
        });
  });
  return labels;
}

std::vector<double> nearest_others(const BoxTree& tree, std::span<const Centre> centres,
                                   std::span<const std::uint8_t> own) {
  std::vector<double> least(tree.size());
  Candidates all{};
  take_visible(centres, Kind::translucent, all);
  // Where no alpha differs, it is left out.
  const bool opaque = !tree.has(Kind::transparent) && !tree.has(Kind::translucent) &&
                      std::all_of(centres.begin(), centres.end(), [](const Centre& c) { return c.at[3] == 255; });
  (*tree.team)(tree.parts.size(), [&](std::size_t part) {
    Candidates of_group{};
    std::array<std::uint8_t, kMaxColors> kept;
    for (std::size_t g = tree.parts[part].begin; g < tree.parts[part].end; ++g) {
      const Box& group = tree.groups[g];
      of_group.size = rule_out_but_two(group, opaque, all, kept.data());
      take_kept(all, kept.data(), of_group);
      for (std::size_t l = group.begin; l < group.end; ++l) {
        const Box& leaf = tree.leaves[l];
        const std::size_t count = rule_out_but_two(leaf, opaque, of_group, kept.data());
        for (std::size_t i = 0; i < count; ++i) kept[i] = static_cast<std::uint8_t>(of_group.id[kept[i]]);
        least_of_others(tree.x, leaf.begin, leaf.end, opaque, centres, kept.data(), count, own.data(), least.data());
      }
    }
  });
  return least;
}

void nearest_to_points(const Points& points, const GroupRange& part, std::span<const Centre> centres,
                       std::span<std::uint8_t> labels) {
  if (part.begin == part.end) return;
  const std::size_t limit = points.groups[part.end - 1].end;
  for_each_group(points.groups, points.kinds, centres, part,
                 [&](std::size_t g, bool opaque, const Candidates& of_group) {
                   const Box& group = points.groups[g];
                   label_points(points.mean, {group.begin, group.end, limit}, opaque, of_group, labels.data());
                 });
}

}  // namespace chromapress
