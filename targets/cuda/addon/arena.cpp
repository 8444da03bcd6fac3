#include "arena.h"

#include <algorithm>
#include <iterator>

#include "failure.h"

namespace ssmc {
namespace {

// What vector loads of any width are aligned to, and what drivers align to themselves.
constexpr uint64_t kAlignment = 256;
constexpr uint64_t kSlab = 16u << 20;

uint64_t rounded(uint64_t bytes) { return (std::max<uint64_t>(bytes, 1) + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

Arena::Block Arena::allocate(uint64_t bytes) {
  if (bytes > UINT64_MAX / 2) throw Failure(Kind::outOfMemory, "more than there are addresses", bytes);
  const uint64_t size = rounded(bytes);
  for (Slab& slab : slabs_) {
    for (auto range = slab.free.begin(); range != slab.free.end(); ++range) {
      const auto [offset, room] = *range;
      if (room < size) continue;
      slab.free.erase(range);
      if (room > size) slab.free[offset + size] = room - size;
      return {slab.address + offset, size};
    }
  }
  uint64_t room = std::max(size, kSlab);
  uint64_t address = 0;
  try {
    address = take_(room);
  } catch (const Failure& failure) {
    // There may still be room for what is needed.
    if (failure.kind != Kind::outOfMemory || room == size) throw Failure(failure.kind, failure.why, bytes);
    room = size;
    try {
      address = take_(room);
    } catch (const Failure& again) {
      throw Failure(again.kind, again.why, bytes);
    }
  }
  slabs_.push_back({address, room, {}});
  if (room > size) slabs_.back().free[size] = room - size;
  return {address, size};
}

void Arena::free(const Block& block) {
  for (auto slab = slabs_.begin(); slab != slabs_.end(); ++slab) {
    if (block.address < slab->address || block.address >= slab->address + slab->bytes) continue;
    uint64_t offset = block.address - slab->address;
    uint64_t size = block.bytes;
    auto next = slab->free.lower_bound(offset);
    if (next != slab->free.begin()) {
      const auto before = std::prev(next);
      if (before->first + before->second == offset) {
        offset = before->first;
        size += before->second;
        slab->free.erase(before);
      }
    }
    if (next != slab->free.end() && offset + size == next->first) {
      size += next->second;
      slab->free.erase(next);
    }
    slab->free[offset] = size;
    // One that is empty stays, for whoever comes next: drivers take long to give memory out.
    const auto isEmpty = [](const Slab& s) { return s.free.size() == 1 && s.free.begin()->second == s.bytes; };
    if (isEmpty(*slab) && std::count_if(slabs_.begin(), slabs_.end(), isEmpty) > 1) {
      give_(slab->address);
      slabs_.erase(slab);
    }
    return;
  }
}

void Arena::clear() {
  for (const Slab& slab : slabs_) give_(slab.address);
  slabs_.clear();
}

}  // namespace ssmc
